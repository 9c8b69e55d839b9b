// SPDX-License-Identifier: Apache-2.0
// Activation, batch norm (as a scale and a shift) and binary operators with broadcasting.
//
// Threads: one item (items.h) at a time, neighbouring threads neighbouring items, in a grid-stride loop.
//
// Shared memory: none. Alignment: 16 bytes a pixel for items of 16 bytes, else the elements' own and one
// element an item.
//
// Algorithm: bound by memory; every element is read and written once. Whole dense tensors count as one pixel
// where each output element depends on the same element of the inputs.
#include "kernels/eltwise.h"

#include "kernels/activate.h"
#include "kernels/items.h"

namespace atrous::cuda {
namespace {

template <typename T, int N>
ATROUS_KERNEL void activation_kernel(ActivationParams p, Rows<const T> in, Rows<T> out, Items items) {
  for (unsigned i = first_item(); i < items.count; i += item_step()) {
    const Item item = item_at<N>(items, i);
    float x[N];
    read_item(in.row(item.row) + item.channel, item.size, x);
    activate(p, x);
    write_item(out.row(item.row) + item.channel, item.size, x);
  }
}

template <typename T, int N>
ATROUS_KERNEL void scale_shift_kernel(Rows<const T> in, const float* scale, const float* shift, Rows<T> out,
                                      Items items) {
  for (unsigned i = first_item(); i < items.count; i += item_step()) {
    const Item item = item_at<N>(items, i);
    float x[N];
    read_item(in.row(item.row) + item.channel, item.size, x);
    for (int j = 0; j < N; ++j)
      if (j < item.size) x[j] = fmaf(x[j], scale[item.channel + j], shift[item.channel + j]);
    write_item(out.row(item.row) + item.channel, item.size, x);
  }
}

ATROUS_DEVICE float combine(BinaryKind kind, float a, float b) {
  switch (kind) {
    case BinaryKind::add:
      return a + b;
    case BinaryKind::sub:
      return a - b;
    case BinaryKind::mul:
      return a * b;
    case BinaryKind::div:
      return a / b;
    case BinaryKind::max:
      return a > b ? a : b;
    case BinaryKind::min:
      return a < b ? a : b;
  }
  return 0;
}

/// An operand with steps in elements, 0 along an axis it is broadcast over; without data it is `scalar`
/// everywhere.
template <typename T>
struct Operand {
  const T* data;
  std::int64_t image, line, pixel;
  int channel;
  float scalar;

  template <int N>
  ATROUS_DEVICE void read(unsigned n, unsigned y, unsigned x, const Item& item, float (&values)[N]) const {
    const T* from = data + n * image + y * line + x * pixel;
    if (channel != 0) return read_item(from + item.channel, item.size, values);
    const float value = data != nullptr ? to_float(*from) : scalar;
    for (int i = 0; i < N; ++i) values[i] = value;
  }
};

template <typename T, int N>
ATROUS_KERNEL void binary_kernel(BinaryKind kind, Operand<T> a, Operand<T> b, Rows<T> out, unsigned height,
                                 unsigned width, Items items) {
  for (unsigned i = first_item(); i < items.count; i += item_step()) {
    const Item item = item_at<N>(items, i);
    const unsigned line = item.row / width, x = item.row - line * width;
    const unsigned n = line / height, y = line - n * height;
    float left[N], right[N];
    a.read(n, y, x, item, left);
    b.read(n, y, x, item, right);
    for (int j = 0; j < N; ++j) left[j] = combine(kind, left[j], right[j]);
    write_item(out.row(item.row) + item.channel, item.size, left);
  }
}

template <typename T>
Operand<T> operand(const TensorDesc& d, const void* data, const Shape& out) {
  const Shape& s = d.shape;
  auto step = [](std::int64_t extent, std::int64_t wanted, std::int64_t elements) {
    return extent == wanted ? elements : 0;
  };
  return {static_cast<const T*>(data),
          step(s.n, out.n, s.h * s.w * d.pitch),
          step(s.h, out.h, s.w * d.pitch),
          step(s.w, out.w, d.pitch),
          s.c == out.c ? 1 : 0,
          0};
}

}  // namespace

void activation(const ActivationParams& p, const TensorDesc& in, const void* from, const TensorDesc& out,
                void* to, StreamHandle stream) {
  if (can_be_flat(in, out)) return activation(p, flat(in), from, flat(out), to, stream);
  dispatch_items(out.dtype, pixels_aligned(in) && pixels_aligned(out), [&]<typename T, int N>() {
    const Items items = items_of<N>(out.shape.pixels(), out.shape.c);
    launch(activation_kernel<T, N>, item_blocks(items.count), kItemThreads, 0, stream, p,
           Rows<const T>{static_cast<const T*>(from), in.pitch}, Rows<T>{static_cast<T*>(to), out.pitch},
           items);
  });
}

void scale_shift(const TensorDesc& in, const void* from, const float* scale, const float* shift,
                 const TensorDesc& out, void* to, StreamHandle stream) {
  dispatch_items(out.dtype, pixels_aligned(in) && pixels_aligned(out), [&]<typename T, int N>() {
    const Items items = items_of<N>(out.shape.pixels(), out.shape.c);
    launch(scale_shift_kernel<T, N>, item_blocks(items.count), kItemThreads, 0, stream,
           Rows<const T>{static_cast<const T*>(from), in.pitch}, scale, shift,
           Rows<T>{static_cast<T*>(to), out.pitch}, items);
  });
}

void binary(const BinaryParams& p, const TensorDesc& a, const void* from_a, const TensorDesc& b,
            const void* from_b, const TensorDesc& out, void* to, StreamHandle stream) {
  if (can_be_flat(a, out) && (p.has_scalar || can_be_flat(b, out)))
    return binary(p, flat(a), from_a, flat(b), from_b, flat(out), to, stream);
  auto takes_packs = [&](const TensorDesc& d) { return d.shape.c != out.shape.c || pixels_aligned(d); };
  const bool packs = pixels_aligned(out) && takes_packs(a) && (p.has_scalar || takes_packs(b));
  dispatch_items(out.dtype, packs, [&]<typename T, int N>() {
    const Operand<T> left = operand<T>(a, from_a, out.shape),
                     right = p.has_scalar ? Operand<T>{nullptr, 0, 0, 0, 0, p.scalar}
                                          : operand<T>(b, from_b, out.shape);
    const Items items = items_of<N>(out.shape.pixels(), out.shape.c);
    launch(binary_kernel<T, N>, item_blocks(items.count), kItemThreads, 0, stream, p.kind, left, right,
           Rows<T>{static_cast<T*>(to), out.pitch}, static_cast<unsigned>(out.shape.h),
           static_cast<unsigned>(out.shape.w), items);
  });
}

}  // namespace atrous::cuda
