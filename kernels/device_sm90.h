// SPDX-License-Identifier: Apache-2.0
#pragma once

// device.h for kernels that use what compute capability 9.0 alone has (sm_90a): the bulk copy engine,
// barriers in shared memory that count its bytes, and products of warpgroups. A warpgroup is four warps, the
// first of which is a multiple of four. Both sides declare:
//
//   kHasWarpgroups                 whether this build has such code
//   ATROUS_GRID_CONSTANT           of a kernel's parameter that holds a TensorMap
//   Mbarrier                       a barrier: eight bytes of shared memory
//   mbarrier_init(b, arrivals)     by one thread; then mbarrier_init_fence() and sync_block()
//   mbarrier_arrive(b) mbarrier_arrive_expect(b, bytes)   the latter: the phase also waits for so many bytes
//   mbarrier_wait(b, parity)       until the phase of that parity (0, 1, 0, ...) is complete
//   bulk_copy<rank>(shared, map, at, b)   begun by one thread: a box of a TensorMap to shared memory aligned
//                                  to 128 bytes; b gets all its bytes, those outside the tensor included
//   fence_async()                  what this thread wrote to shared memory comes before later copies there
//   warpgroup_begin(sums) warpgroup_multiply<T, N>(sums[i], a, b) warpgroup_commit()   a group of products
//   warpgroup_wait<groups>()       until all but so many of the last groups are done
//   warpgroup_finish(sums)         until all are done, and the sums may be used
//
// sums += a * b for 64 rows and N columns of sums in fp32: a is 64 rows, b N rows (columns of the product) of
// K, both 32 bytes of rows of 128 as bulk_copy() leaves them, from addresses that are multiples of 1024 plus
// 0, 32, 64 or 96. It runs beside the threads until they wait; before, neither sums nor operands may be
// touched. Warp w of the group holds rows 16w to 16w+15; lane l of it, for each eight columns, rows l/4 (sums
// 0, 1) and l/4 + 8 (2, 3), columns l%4*2 and the next. PTX ISA, "Asynchronous warpgroup level matrix
// instructions".

#include "kernels/device.h"

#ifdef ATROUS_EMULATE
#include "support/emulation/device_sm90_emulated.h"
#else
#include "kernels/device_sm90_cuda.h"
#endif

namespace atrous::cuda {

constexpr int kSwizzleAlignment = 1024;

/// The first address from `shared` on where a swizzle starts, at most kSwizzleAlignment - 1 bytes further.
ATROUS_DEVICE unsigned char* swizzle_start(unsigned char* shared) {
  const auto past = static_cast<unsigned>(reinterpret_cast<std::uintptr_t>(shared) % kSwizzleAlignment);
  return shared + (kSwizzleAlignment - past) % kSwizzleAlignment;
}

}  // namespace atrous::cuda
