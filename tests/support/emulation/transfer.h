// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "backend/cuda/runtime.h"
#include "support/emulation/execution.h"

/// What compute capability 9.0 does beside its threads: bulk copies, which transfer barriers (mbarrier)
/// count, and products of warpgroups. Called by kernels, through device_sm90_emulated.h.
namespace atrous::cuda::emulation {

/// A copy of one box. It is done by a thread that waits at its barrier; until then its place holds NaN.
struct BulkCopy {
  std::byte* shared;
  TensorMapLayout map;
  int at[4];
  std::size_t bytes;
};

void init_transfer_barrier(std::uint64_t* barrier, unsigned arrivals, const Site& site);
/// One arrival, and so many more bytes that the phase waits for.
void arrive_at_transfer(std::uint64_t* barrier, int bytes, const Site& site);
/// Before a copy to `shared`: throws where threads have written there since an earlier copy to the same
/// address came, and one of the block has not been through fence_async() since.
void check_fenced(const std::byte* shared, const Site& site);
void fence_async_writes(const Site& site);
void push_bulk_copy(std::uint64_t* barrier, const BulkCopy& copy, const Site& site);
/// Waits until the phase of this parity is complete, or there are copies for the caller to do: then it calls
/// land_bulk_copies() and waits again. Empty: complete.
std::span<const BulkCopy> await_transfer(std::uint64_t* barrier, unsigned parity, const Site& site);
void land_bulk_copies(std::uint64_t* barrier, const Site& site);

/// A product of a warpgroup, as far as one thread has a share in it: run(sums, a, b).
struct WarpgroupProduct {
  void (*run)(float* sums, const std::byte* a, const std::byte* b);
  float* sums;
  const std::byte *a, *b;
};
void push_product(const WarpgroupProduct& product);
void commit_products();
std::span<const WarpgroupProduct> due_products(int keep);

}  // namespace atrous::cuda::emulation
