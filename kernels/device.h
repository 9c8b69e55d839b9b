// SPDX-License-Identifier: Apache-2.0
#pragma once

// The one header a kernel needs. nvcc compiles kernels for the device; with ATROUS_EMULATE a plain C++
// compiler compiles the same source for the execution layer of the tests, where each thread of a block is a
// fiber (tests/support/emulation). Both sides declare the same names in atrous::cuda:
//
//   ATROUS_KERNEL ATROUS_DEVICE ATROUS_HOST_DEVICE ATROUS_LAUNCH_BOUNDS(threads, blocks)
//   threadIdx blockIdx blockDim gridDim min max
//   f16 bf16 to_float(T) from_float<T>(float) to_tf32(float)
//   load_pack<N>(p) store_pack(p, pack)        aligned vector access of Pack<T, N>
//   ATROUS_SHARED(T, name, count)              static shared array, 16-byte aligned, content undefined
//   ATROUS_DYNAMIC_SHARED(T, name)             T* to the shared memory sized at the launch, 16-byte aligned,
//   undefined sync_block() sync_warp()                   in uniform control flow only; a thread that returned
//   no longer counts lane_id() shuffle(v, lane) shuffle_down(v, delta) shuffle_xor(v, mask) warp_ballot(bool)
//   warp_any(bool) atomic_add atomic_max atomic_or            return the old value, order nothing else
//   copy_async16(shared, global, valid_bytes) copy_async_commit() copy_async_wait<N>()
//   ldmatrix_x4 ldmatrix_x4_trans ldmatrix_x2 ldmatrix_x2_trans
//   mma_m16n8k16<T>(d, a, b) mma_m16n8k8_tf32(d, a, b)
//   launch(kernel, grid, block, shared_bytes, stream, arguments...)
//
// Warp operations take the whole warp. copy_async*, mma_* and to_tf32 need compute capability 8.0; the host
// refuses before.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

#include "backend/cuda/launch_error.h"
#include "core/types.h"

namespace atrous::cuda {

/// Extent of a grid or block; every count is >= 1.
struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr Dim3() = default;
  template <typename X, typename Y = unsigned, typename Z = unsigned>
  constexpr Dim3(X nx, Y ny = 1, Z nz = 1)
      : x(static_cast<unsigned>(nx)), y(static_cast<unsigned>(ny)), z(static_cast<unsigned>(nz)) {}
};

/// N values that are read and written as one vector of 4, 8 or 16 bytes.
template <typename T, int N>
struct alignas(sizeof(T) * N) Pack {
  static_assert(sizeof(T) * N == 4 || sizeof(T) * N == 8 || sizeof(T) * N == 16);
  T v[N];
};

}  // namespace atrous::cuda

#ifdef ATROUS_EMULATE
#include "support/emulation/device_emulated.h"
#else
#include "kernels/device_cuda.h"
#endif

namespace atrous::cuda {

/// Every lane gets the sum of all 32; the order of additions is the same in each lane.
ATROUS_DEVICE float warp_sum(float value) {
  for (int mask = 16; mask > 0; mask /= 2) value += shuffle_xor(value, mask);
  return value;
}

/// Every lane gets the largest of all 32; a NaN loses, as fmaxf has it.
ATROUS_DEVICE float warp_max(float value) {
  for (int mask = 16; mask > 0; mask /= 2) value = fmaxf(value, shuffle_xor(value, mask));
  return value;
}

/// Calls f with a zero of the element type: float, f16 or bf16. Throws Error{internal} for another dtype.
template <typename F>
auto dispatch(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32:
      return f(float{});
    case DType::f16:
      return f(f16{});
    case DType::bf16:
      return f(bf16{});
    default:
      launch_error("choosing a kernel", "no kernel for elements of type " + std::string(to_string(dtype)));
  }
}

}  // namespace atrous::cuda
