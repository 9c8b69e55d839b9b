// SPDX-License-Identifier: Apache-2.0
// See wrappers_sm90.h. One block of 32 (copies) or 128 threads (products), two barriers; shared memory: both
// boxes, or one step of both operands, from a multiple of 1024.
#include "emulation/wrappers_sm90.h"

#include "kernels/device_sm90.h"

namespace atrous::cuda {
namespace {

struct Place {
  int at[4];
};

ATROUS_KERNEL void copy_boxes(const ATROUS_GRID_CONSTANT TensorMap map, Place first, Place second, int bytes,
                              int apart, unsigned char* out) {
  ATROUS_DYNAMIC_SHARED(unsigned char, raw);
  ATROUS_SHARED(Mbarrier, arrived, 1);
  unsigned char* const shared = swizzle_start(raw);
  if (threadIdx.x == 0) {
    mbarrier_init(&arrived[0], 1);
    mbarrier_init_fence();
  }
  sync_block();
  for (int box = 0; box < 2; ++box) {
    if (threadIdx.x == 0) {
      mbarrier_arrive_expect(&arrived[0], bytes);
      bulk_copy(shared + box * apart, map, box == 0 ? first.at : second.at, &arrived[0]);
    }
    mbarrier_wait(&arrived[0], static_cast<unsigned>(box % 2));
    sync_block();  // or a slow thread would find the second phase over and wait for a third
  }
  for (int i = static_cast<int>(threadIdx.x); i < 2 * apart; i += 32)
    if (i % apart < bytes) out[i] = shared[i];
}

template <typename T, int N>
ATROUS_KERNEL void product(const ATROUS_GRID_CONSTANT TensorMap a, const ATROUS_GRID_CONSTANT TensorMap b,
                           int steps, float* d) {
  ATROUS_DYNAMIC_SHARED(unsigned char, raw);
  ATROUS_SHARED(Mbarrier, barriers, 2);  // operands are there; all warps are done with them
  unsigned char* const rows = swizzle_start(raw);
  unsigned char* const columns = rows + 64 * 128;
  if (threadIdx.x == 0) {
    mbarrier_init(&barriers[0], 1);
    mbarrier_init(&barriers[1], 4);
    mbarrier_init_fence();
  }
  sync_block();
  float sums[1][N / 2];
  for (int i = 0; i < N / 2; ++i) sums[0][i] = d[static_cast<int>(threadIdx.x) * (N / 2) + i];
  for (int step = 0; step < steps; ++step) {
    const auto parity = static_cast<unsigned>(step % 2);
    if (threadIdx.x == 0) {
      mbarrier_wait(&barriers[1], parity ^ 1);
      mbarrier_arrive_expect(&barriers[0], (64 + N) * 128);
      bulk_copy(rows, a, {64 * step, 0, 0}, &barriers[0]);
      bulk_copy(columns, b, {64 * step, 0, 0}, &barriers[0]);
    }
    mbarrier_wait(&barriers[0], parity);
    warpgroup_begin(sums);
    for (int k = 0; k < 128; k += 32) warpgroup_multiply<T, N>(sums[0], rows + k, columns + k);
    warpgroup_commit();
    warpgroup_finish(sums);
    if (lane_id() == 0) mbarrier_arrive(&barriers[1]);
  }
  for (int i = 0; i < N / 2; ++i) d[static_cast<int>(threadIdx.x) * (N / 2) + i] = sums[0][i];
}

}  // namespace

bool built_for_warpgroups() { return kHasWarpgroups; }

void launch_bulk_copies(const TensorMap& map, const std::array<int, 4>& first,
                        const std::array<int, 4>& second, int bytes, int apart, unsigned char* out) {
  Place from{}, then{};
  for (std::size_t i = 0; i < 4; ++i) from.at[i] = first[i], then.at[i] = second[i];
  launch(copy_boxes, 1, 32, static_cast<std::size_t>(kSwizzleAlignment + 2 * apart), nullptr, map, from, then,
         bytes, apart, out);
}

void launch_warpgroup_product(DType dtype, int columns, int steps, const TensorMap& a, const TensorMap& b,
                              float* d) {
  const auto kernel = dtype == DType::f16 ? (columns == 64 ? product<f16, 64> : product<f16, 128>)
                                          : (columns == 64 ? product<bf16, 64> : product<bf16, 128>);
  launch(kernel, 1, 128, static_cast<std::size_t>(kSwizzleAlignment + (64 + columns) * 128), nullptr, a, b,
         steps, d);
}

}  // namespace atrous::cuda
