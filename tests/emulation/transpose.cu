// SPDX-License-Identifier: Apache-2.0
// Two small kernels that prove the tool chain: compiled by nvcc and by the C++ compiler, run by the tests of
// the execution layer. Transpose: a block of 32 x 8 threads moves a tile of 32 x 32 through shared memory
// (4224 bytes; the odd row length avoids bank conflicts). Sum: warp shuffles, then one value a warp through
// shared memory, then one atomic a block. No alignment needed.
#include "emulation/transpose.h"

#include "kernels/device.h"

namespace atrous::cuda {
namespace {

constexpr int kTile = 32, kRows = 8, kSumThreads = 128;

template <typename T>
ATROUS_KERNEL void ATROUS_LAUNCH_BOUNDS(kTile* kRows, 1)
    transpose(const T* in, T* out, int rows, int columns) {
  ATROUS_SHARED(T, tile, kTile * (kTile + 1));
  const int column = static_cast<int>(blockIdx.x) * kTile, row = static_cast<int>(blockIdx.y) * kTile;
  const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y);
#pragma unroll
  for (int i = y; i < kTile; i += kRows)
    if (row + i < rows && column + x < columns)
      tile[i * (kTile + 1) + x] = in[static_cast<std::size_t>(row + i) * columns + column + x];
  sync_block();
#pragma unroll
  for (int i = y; i < kTile; i += kRows)
    if (column + i < columns && row + x < rows)
      out[static_cast<std::size_t>(column + i) * rows + row + x] = tile[x * (kTile + 1) + i];
}

ATROUS_KERNEL void sum(const float* in, float* total, int count) {
  ATROUS_SHARED(float, of_warp, kSumThreads / 32);
  const int thread = static_cast<int>(threadIdx.x);
  float value = 0;
  for (int i = static_cast<int>(blockIdx.x) * kSumThreads + thread; i < count;
       i += static_cast<int>(gridDim.x) * kSumThreads)
    value += in[i];
  value = warp_sum(value);
  if (lane_id() == 0) of_warp[thread / 32] = value;
  sync_block();
  if (thread != 0) return;
  for (int i = 1; i < kSumThreads / 32; ++i) value += of_warp[i];
  atomic_add(total, value);
}

}  // namespace

void launch_transpose(DType dtype, const void* in, void* out, int rows, int columns, StreamHandle stream) {
  dispatch(dtype, [&](auto zero) {
    using T = decltype(zero);
    const Dim3 grid((columns + kTile - 1) / kTile, (rows + kTile - 1) / kTile);
    launch(transpose<T>, grid, Dim3(kTile, kRows), 0, stream, static_cast<const T*>(in), static_cast<T*>(out),
           rows, columns);
  });
}

void launch_sum(const float* in, float* total, int count, StreamHandle stream) {
  launch(sum, 3, kSumThreads, 0, stream, in, total, count);
}

}  // namespace atrous::cuda
