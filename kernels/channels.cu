// SPDX-License-Identifier: Apache-2.0
// Softmax, argmax, mean over channels and local response normalisation.
//
// Threads: a warp a pixel, its lanes every 32nd channel; local response normalisation one element a thread.
// Grid-stride loops over pixels or elements.
//
// Shared memory: none. Alignment: the elements' own. Score maps have few channels and odd numbers of them
// (21), and the loads of a warp touch neighbouring elements either way.
//
// Algorithm: warp reductions by butterfly exchange, in a fixed order; softmax after subtracting the maximum.
// Values are read again for each pass, from the cache.
#include "kernels/channels.h"

#include "kernels/items.h"

namespace atrous::cuda {
namespace {

constexpr int kWarp = 32;

ATROUS_DEVICE unsigned first_warp() { return first_item() / kWarp; }
ATROUS_DEVICE unsigned warp_step() { return item_step() / kWarp; }

template <typename T>
ATROUS_KERNEL void softmax_kernel(Rows<const T> in, Rows<T> out, unsigned pixels, int channels) {
  for (unsigned pixel = first_warp(); pixel < pixels; pixel += warp_step()) {
    const T* from = in.row(pixel);
    T* to = out.row(pixel);
    float largest = -INFINITY;
    for (int c = lane_id(); c < channels; c += kWarp) largest = fmaxf(largest, to_float(from[c]));
    largest = warp_max(largest);
    float sum = 0;
    for (int c = lane_id(); c < channels; c += kWarp) sum += expf(to_float(from[c]) - largest);
    sum = warp_sum(sum);
    for (int c = lane_id(); c < channels; c += kWarp)
      to[c] = from_float<T>(expf(to_float(from[c]) - largest) / sum);
  }
}

template <typename T>
ATROUS_KERNEL void argmax_kernel(Rows<const T> in, Rows<int> out, unsigned pixels, int channels) {
  for (unsigned pixel = first_warp(); pixel < pixels; pixel += warp_step()) {
    const T* from = in.row(pixel);
    const int lane = lane_id();
    float best = lane < channels ? to_float(from[lane]) : -INFINITY;
    int index = lane;
    for (int c = lane + kWarp; c < channels; c += kWarp) {
      const float value = to_float(from[c]);
      if (value > best) best = value, index = c;
    }
    for (int distance = kWarp / 2; distance > 0; distance /= 2) {
      const float other = shuffle_xor(best, distance);
      const int other_index = shuffle_xor(index, distance);
      if (other > best || (other == best && other_index < index)) best = other, index = other_index;
    }
    if (lane == 0) *out.row(pixel) = index;
  }
}

template <typename T>
ATROUS_KERNEL void channel_mean_kernel(Rows<const T> in, Rows<T> out, unsigned pixels, int channels) {
  for (unsigned pixel = first_warp(); pixel < pixels; pixel += warp_step()) {
    const T* from = in.row(pixel);
    float sum = 0;
    for (int c = lane_id(); c < channels; c += kWarp) sum += to_float(from[c]);
    sum = warp_sum(sum);
    if (lane_id() == 0) *out.row(pixel) = from_float<T>(sum / static_cast<float>(channels));
  }
}

template <typename T>
ATROUS_KERNEL void lrn_kernel(LrnParams p, Rows<const T> in, Rows<T> out, Items items) {
  const int channels = static_cast<int>(items.channels);
  for (unsigned i = first_item(); i < items.count; i += item_step()) {
    const Item item = item_at<1>(items, i);
    const T* from = in.row(item.row);
    const int c = static_cast<int>(item.channel), begin = c - p.size / 2, end = c + p.size / 2 + 1;
    float squares = 0;
    for (int j = begin < 0 ? 0 : begin; j < (end < channels ? end : channels); ++j) {
      const float value = to_float(from[j]);
      squares = fmaf(value, value, squares);
    }
    const float base = p.k + p.alpha / static_cast<float>(p.size) * squares;
    out.row(item.row)[c] = from_float<T>(to_float(from[c]) / powf(base, p.beta));
  }
}

/// Starts kernel(in, out, pixels, channels of in), a warp a pixel.
template <typename T, typename Out>
void launch_warps(void (*kernel)(Rows<const T>, Rows<Out>, unsigned, int), const TensorDesc& in,
                  const void* from, const TensorDesc& out, void* to, StreamHandle stream) {
  launch(kernel, item_blocks(in.shape.pixels() * kWarp), kItemThreads, 0, stream,
         Rows<const T>{static_cast<const T*>(from), in.pitch}, Rows<Out>{static_cast<Out*>(to), out.pitch},
         static_cast<unsigned>(in.shape.pixels()), static_cast<int>(in.shape.c));
}

}  // namespace

void softmax(const TensorDesc& in, const void* from, const TensorDesc& out, void* to, StreamHandle stream) {
  dispatch(in.dtype, [&](auto element) {
    using T = decltype(element);
    launch_warps<T, T>(softmax_kernel<T>, in, from, out, to, stream);
  });
}

void argmax(const TensorDesc& in, const void* from, const TensorDesc& out, void* to, StreamHandle stream) {
  dispatch(in.dtype, [&](auto element) {
    using T = decltype(element);
    launch_warps<T, int>(argmax_kernel<T>, in, from, out, to, stream);
  });
}

void channel_mean(const TensorDesc& in, const void* from, const TensorDesc& out, void* to,
                  StreamHandle stream) {
  dispatch(in.dtype, [&](auto element) {
    using T = decltype(element);
    launch_warps<T, T>(channel_mean_kernel<T>, in, from, out, to, stream);
  });
}

void lrn(const LrnParams& p, const TensorDesc& in, const void* from, const TensorDesc& out, void* to,
         StreamHandle stream) {
  dispatch(in.dtype, [&](auto element) {
    using T = decltype(element);
    const Items items = items_of<1>(in.shape.pixels(), in.shape.c);
    launch(lrn_kernel<T>, item_blocks(items.count), kItemThreads, 0, stream, p,
           Rows<const T>{static_cast<const T*>(from), in.pitch}, Rows<T>{static_cast<T*>(to), out.pitch},
           items);
  });
}

}  // namespace atrous::cuda
