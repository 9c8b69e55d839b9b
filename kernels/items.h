// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/types.h"
#include "kernels/device.h"

/// What the kernels that go over rows of channels share: a thread takes `N` neighbouring channels of one row
/// at a time, 16 bytes of them where every address allows, else one. The last channels of a row may be fewer
/// than N.
namespace atrous::cuda {

/// Rows of channels, `pitch` elements apart.
template <typename T>
struct Rows {
  T* data;
  std::int64_t pitch;
  ATROUS_HOST_DEVICE T* row(std::int64_t i) const { return data + i * pitch; }
};

/// How the items (N channels or fewer of a row) of `rows` x `channels` elements are numbered: along a row
/// first.
struct Items {
  unsigned channels, per_row, count;
};

struct Item {
  unsigned row, channel;
  int size;  ///< channels of the item
};

template <int N>
inline Items items_of(std::int64_t rows, std::int64_t channels) {
  const auto per_row = static_cast<unsigned>((channels + N - 1) / N);
  return {static_cast<unsigned>(channels), per_row, static_cast<unsigned>(rows) * per_row};
}

template <int N>
ATROUS_DEVICE Item item_at(const Items& items, unsigned index) {
  const unsigned row = index / items.per_row, channel = (index - row * items.per_row) * N;
  const unsigned left = items.channels - channel;
  return {row, channel, left < N ? static_cast<int>(left) : N};
}

ATROUS_DEVICE unsigned first_item() { return blockIdx.x * blockDim.x + threadIdx.x; }
ATROUS_DEVICE unsigned item_step() { return gridDim.x * blockDim.x; }

/// `size` values, the rest 0. With N > 1, `from` is at a multiple of 16 bytes.
template <int N, typename T>
ATROUS_DEVICE void read_item(const T* from, int size, float (&values)[N]) {
  if constexpr (N > 1) {
    if (size == N) {
      const Pack<T, N> pack = load_pack<N>(from);
      for (int i = 0; i < N; ++i) values[i] = to_float(pack.v[i]);
      return;
    }
  }
  for (int i = 0; i < N; ++i) values[i] = i < size ? to_float(from[i]) : 0.0F;
}

template <int N, typename T>
ATROUS_DEVICE void write_item(T* to, int size, const float (&values)[N]) {
  if constexpr (N > 1) {
    if (size == N) {
      Pack<T, N> pack;
      for (int i = 0; i < N; ++i) pack.v[i] = from_float<T>(values[i]);
      store_pack(to, pack);
      return;
    }
  }
  for (int i = 0; i < N; ++i)
    if (i < size) to[i] = from_float<T>(values[i]);
}

/// Whether every pixel starts at a multiple of 16 bytes.
inline bool pixels_aligned(const TensorDesc& d) {
  return d.base_alignment % 16 == 0 &&
         (d.shape.pixels() == 1 || static_cast<std::size_t>(d.pitch) * size_of(d.dtype) % 16 == 0);
}

/// A dense tensor as one pixel with all elements as channels: only the first must be aligned, and none is
/// left over at the end of each row.
inline TensorDesc flat(TensorDesc dense) {
  dense.shape = {1, 1, 1, dense.shape.elements()};
  dense.pitch = dense.shape.c;
  return dense;
}

/// Whether an operator that takes elements one by one may take these two as flat.
inline bool can_be_flat(const TensorDesc& in, const TensorDesc& out) {
  return in.shape == out.shape && in.is_dense() && out.is_dense() && out.shape.pixels() > 1;
}

constexpr int kItemThreads = 256;

/// Blocks of kItemThreads threads for that many items; kernels loop over what is left.
inline Dim3 item_blocks(std::int64_t items) {
  constexpr std::int64_t kMost = 1 << 16;
  return Dim3{static_cast<unsigned>(std::min(kMost, (items + kItemThreads - 1) / kItemThreads))};
}

/// Calls f.template operator()<T, N>() with the element type of `dtype` and N elements an item: 16 bytes
/// where `packs`.
template <typename F>
void dispatch_items(DType dtype, bool packs, const F& f) {
  dispatch(dtype, [&](auto element) {
    using T = decltype(element);
    if (packs)
      f.template operator()<T, static_cast<int>(16 / sizeof(T))>();
    else
      f.template operator()<T, 1>();
  });
}

}  // namespace atrous::cuda
