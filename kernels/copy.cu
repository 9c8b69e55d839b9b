// SPDX-License-Identifier: Apache-2.0
// A copy between pitches with a shift in rows and columns and a value for what comes from outside.
//
// Threads: one item (items.h) of the output at a time, neighbouring threads neighbouring items, in a
// grid-stride loop.
//
// Shared memory: none. Alignment: 16 bytes a pixel for items of 16 bytes, else the elements' own and one
// element an item.
//
// Algorithm: bound by memory; every element is read and written once. Whole dense tensors count as one pixel.
#include "kernels/copy.h"

#include "kernels/items.h"

namespace atrous::cuda {
namespace {

struct Window {
  unsigned out_h, out_w;
  int in_h, in_w, top, left;
};

template <typename T, int N>
ATROUS_KERNEL void copy_kernel(Rows<const T> in, Rows<T> out, Window window, float fill, Items items) {
  for (unsigned i = first_item(); i < items.count; i += item_step()) {
    const Item item = item_at<N>(items, i);
    const unsigned line = item.row / window.out_w, n = line / window.out_h;
    const int x = static_cast<int>(item.row - line * window.out_w) - window.left,
              y = static_cast<int>(line - n * window.out_h) - window.top;
    const bool inside = y >= 0 && x >= 0 && y < window.in_h && x < window.in_w;
    const std::int64_t pixel = (static_cast<std::int64_t>(n) * window.in_h + y) * window.in_w + x;
    const T* from = inside ? in.row(pixel) + item.channel : nullptr;
    T* to = out.row(item.row) + item.channel;
    if constexpr (N > 1) {
      if (item.size == N) {
        Pack<T, N> pack;
        if (inside)
          pack = load_pack<N>(from);
        else
          for (int j = 0; j < N; ++j) pack.v[j] = from_float<T>(fill);
        store_pack(to, pack);
        continue;
      }
    }
    for (int j = 0; j < item.size; ++j) to[j] = inside ? from[j] : from_float<T>(fill);
  }
}

}  // namespace

void copy_shifted(const TensorDesc& in, const void* from, const TensorDesc& out, void* to, int top, int left,
                  float fill, StreamHandle stream) {
  if (top == 0 && left == 0 && can_be_flat(in, out))
    return copy_shifted(flat(in), from, flat(out), to, 0, 0, fill, stream);
  const Window window{static_cast<unsigned>(out.shape.h),
                      static_cast<unsigned>(out.shape.w),
                      static_cast<int>(in.shape.h),
                      static_cast<int>(in.shape.w),
                      top,
                      left};
  dispatch_items(out.dtype, pixels_aligned(in) && pixels_aligned(out), [&]<typename T, int N>() {
    const Items items = items_of<N>(out.shape.pixels(), out.shape.c);
    launch(copy_kernel<T, N>, item_blocks(items.count), kItemThreads, 0, stream,
           Rows<const T>{static_cast<const T*>(from), in.pitch}, Rows<T>{static_cast<T*>(to), out.pitch},
           window, fill, items);
  });
}

}  // namespace atrous::cuda
