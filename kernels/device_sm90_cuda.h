// SPDX-License-Identifier: Apache-2.0
#pragma once

// The nvcc side of device_sm90.h.

#include "kernels/device.h"

#define ATROUS_GRID_CONSTANT __grid_constant__

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define ATROUS_PTX_SM90A(...) asm volatile(__VA_ARGS__)
#else
#define ATROUS_PTX_SM90A(...) __trap()
#endif

namespace atrous::cuda {

#if defined(ATROUS_SM90A)
constexpr bool kHasWarpgroups = true;
#else
constexpr bool kHasWarpgroups = false;
#endif

using Mbarrier = std::uint64_t;

ATROUS_DEVICE void mbarrier_init(Mbarrier* barrier, unsigned arrivals) {
  ATROUS_PTX_SM90A("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals)
                   : "memory");
}
ATROUS_DEVICE void mbarrier_init_fence() {
  ATROUS_PTX_SM90A("fence.mbarrier_init.release.cluster;" ::: "memory");
  ATROUS_PTX_SM90A("fence.proxy.async.shared::cta;" ::: "memory");
}
ATROUS_DEVICE void mbarrier_arrive(Mbarrier* barrier) {
  ATROUS_PTX_SM90A("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier)) : "memory");
}
ATROUS_DEVICE void mbarrier_arrive_expect(Mbarrier* barrier, int bytes) {
  ATROUS_PTX_SM90A("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)),
                   "r"(bytes)
                   : "memory");
}
ATROUS_DEVICE void mbarrier_wait(Mbarrier* barrier, unsigned parity) {
  unsigned complete = 1;
  do {
    ATROUS_PTX_SM90A(
        "{ .reg .pred complete; mbarrier.try_wait.parity.shared::cta.b64 complete, [%1], %2; "
        "selp.u32 %0, 1, 0, complete; }"
        : "=r"(complete)
        : "r"(shared_address(barrier)), "r"(parity)
        : "memory");
  } while (complete == 0);
}

template <int rank>
ATROUS_DEVICE void bulk_copy(void* shared, const TensorMap& map, const int (&at)[rank], Mbarrier* barrier) {
  static_assert(rank == 3 || rank == 4);
  if constexpr (rank == 3)
    ATROUS_PTX_SM90A(
        "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, "
        "%4}], "
        "[%5];" ::"r"(shared_address(shared)),
        "l"(&map), "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(shared_address(barrier))
        : "memory");
  else
    ATROUS_PTX_SM90A(
        "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4, "
        "%5}], [%6];" ::"r"(shared_address(shared)),
        "l"(&map), "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3]), "r"(shared_address(barrier))
        : "memory");
}

ATROUS_DEVICE void fence_async() { ATROUS_PTX_SM90A("fence.proxy.async.shared::cta;" ::: "memory"); }

/// The compiler neither moves nor copies the sums past this.
template <int J, int N>
ATROUS_DEVICE void pin(float (&sums)[J][N]) {
#pragma unroll
  for (auto& part : sums)
#pragma unroll
    for (float& sum : part) asm volatile("" : "+f"(sum)::"memory");
}
template <int J, int N>
ATROUS_DEVICE void warpgroup_begin(float (&sums)[J][N]) {
  pin(sums);
  ATROUS_PTX_SM90A("wgmma.fence.sync.aligned;" ::: "memory");
}
ATROUS_DEVICE void warpgroup_commit() { ATROUS_PTX_SM90A("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int N>
ATROUS_DEVICE void warpgroup_wait() {
  ATROUS_PTX_SM90A("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory");
}

template <int J, int N>
ATROUS_DEVICE void warpgroup_finish(float (&sums)[J][N]) {
  warpgroup_wait<0>();
  pin(sums);
}

/// A matrix descriptor: swizzled rows of 128 bytes, 1024 from eight of them to the next eight.
ATROUS_DEVICE std::uint64_t operand(const void* shared) {
  constexpr std::uint64_t kSwizzle128 = std::uint64_t{1} << 62, kEightRows = std::uint64_t{1024 >> 4} << 32,
                          kUnused = std::uint64_t{1} << 16;
  return kSwizzle128 | kEightRows | kUnused | (shared_address(shared) & 0x3ffffU) >> 4;
}

// clang-format off
#define ATROUS_SUMS_8(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), \
  "+f"(d[i + 5]), "+f"(d[i + 6]), "+f"(d[i + 7])
#define ATROUS_SUMS_32 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define ATROUS_SUMS_64 ATROUS_SUMS_32 ", " \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define ATROUS_WGMMA(n, type, registers, a, b)                                                          \
  "{ .reg .pred add; setp.eq.u32 add, 1, 1; wgmma.mma_async.sync.aligned.m64n" #n "k16.f32." type "." type " {" \
  registers "}, %" #a ", %" #b ", add, 1, 1, 0, 0; }"

/// d += a * b for 64 rows and N columns of one type; see device_sm90.h.
template <typename T, int N>
ATROUS_DEVICE void warpgroup_multiply(float (&d)[N / 2], const void* a, const void* b) {
  static_assert((N == 64 || N == 128) && sizeof(T) == 2);
  const std::uint64_t rows = operand(a), columns = operand(b);
  constexpr bool kHalf = std::is_same_v<T, f16>;
  if constexpr (N == 64 && kHalf)
    ATROUS_PTX_SM90A(ATROUS_WGMMA(64, "f16", ATROUS_SUMS_32, 32, 33)
                     : ATROUS_SUMS_8(0), ATROUS_SUMS_8(8), ATROUS_SUMS_8(16), ATROUS_SUMS_8(24)
                     : "l"(rows), "l"(columns));
  if constexpr (N == 64 && !kHalf)
    ATROUS_PTX_SM90A(ATROUS_WGMMA(64, "bf16", ATROUS_SUMS_32, 32, 33)
                     : ATROUS_SUMS_8(0), ATROUS_SUMS_8(8), ATROUS_SUMS_8(16), ATROUS_SUMS_8(24)
                     : "l"(rows), "l"(columns));
  if constexpr (N == 128 && kHalf)
    ATROUS_PTX_SM90A(ATROUS_WGMMA(128, "f16", ATROUS_SUMS_64, 64, 65)
                     : ATROUS_SUMS_8(0), ATROUS_SUMS_8(8), ATROUS_SUMS_8(16), ATROUS_SUMS_8(24),
                       ATROUS_SUMS_8(32), ATROUS_SUMS_8(40), ATROUS_SUMS_8(48), ATROUS_SUMS_8(56)
                     : "l"(rows), "l"(columns));
  if constexpr (N == 128 && !kHalf)
    ATROUS_PTX_SM90A(ATROUS_WGMMA(128, "bf16", ATROUS_SUMS_64, 64, 65)
                     : ATROUS_SUMS_8(0), ATROUS_SUMS_8(8), ATROUS_SUMS_8(16), ATROUS_SUMS_8(24),
                       ATROUS_SUMS_8(32), ATROUS_SUMS_8(40), ATROUS_SUMS_8(48), ATROUS_SUMS_8(56)
                     : "l"(rows), "l"(columns));
}
// clang-format on

}  // namespace atrous::cuda

#undef ATROUS_WGMMA
#undef ATROUS_SUMS_64
#undef ATROUS_SUMS_32
#undef ATROUS_SUMS_8
#undef ATROUS_PTX_SM90A
