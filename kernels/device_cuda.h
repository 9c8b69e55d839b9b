// SPDX-License-Identifier: Apache-2.0
#pragma once

// The nvcc side of device.h: thin wrappers, and the only inline PTX of the project. Fragment layouts of
// ldmatrix and mma are those of the PTX ISA, sections "Matrix fragments for mma.m16n8k16", "... mma.m16n8k8"
// and "ldmatrix".

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include "backend/cuda/runtime.h"

#define ATROUS_KERNEL __global__
#define ATROUS_DEVICE __device__ inline
#define ATROUS_HOST_DEVICE __host__ __device__ inline
#define ATROUS_LAUNCH_BOUNDS(threads, blocks) __launch_bounds__(threads, blocks)
#define ATROUS_SHARED(T, name, count) __shared__ __align__(16) T name[count]
#define ATROUS_DYNAMIC_SHARED(T, name)                                   \
  extern __shared__ __align__(16) unsigned char atrous_dynamic_shared[]; \
  T* const name = reinterpret_cast<T*>(atrous_dynamic_shared)

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#define ATROUS_PTX_SM80(...) __trap()
#else
#define ATROUS_PTX_SM80(...) asm volatile(__VA_ARGS__)
#endif

namespace atrous::cuda {

using f16 = __half;
using bf16 = __nv_bfloat16;

ATROUS_DEVICE float to_float(float v) { return v; }
ATROUS_DEVICE float to_float(f16 v) { return __half2float(v); }
ATROUS_DEVICE float to_float(bf16 v) { return __bfloat162float(v); }

template <typename T>
ATROUS_DEVICE T from_float(float v);
template <>
ATROUS_DEVICE float from_float<float>(float v) {
  return v;
}
template <>
ATROUS_DEVICE f16 from_float<f16>(float v) {
  return __float2half_rn(v);
}
template <>
ATROUS_DEVICE bf16 from_float<bf16>(float v) {
  return __float2bfloat16_rn(v);
}

/// Rounded to 10 bits of mantissa, ties away from zero.
ATROUS_DEVICE float to_tf32(float v) {
  unsigned bits = 0;
  ATROUS_PTX_SM80("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(v));
  return __uint_as_float(bits);
}

template <int N, typename T>
ATROUS_DEVICE Pack<T, N> load_pack(const T* p) {
  return *reinterpret_cast<const Pack<T, N>*>(p);
}

template <typename T, int N>
ATROUS_DEVICE void store_pack(T* p, const Pack<T, N>& pack) {
  *reinterpret_cast<Pack<T, N>*>(p) = pack;
}

constexpr unsigned kFullWarp = 0xffffffffU;

ATROUS_DEVICE void sync_block() { __syncthreads(); }
ATROUS_DEVICE void sync_warp() { __syncwarp(); }
ATROUS_DEVICE int lane_id() {
  return static_cast<int>((threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % 32);
}

template <typename T>
ATROUS_DEVICE T shuffle(T v, int lane) {
  return __shfl_sync(kFullWarp, v, lane);
}
template <typename T>
ATROUS_DEVICE T shuffle_down(T v, int delta) {
  return __shfl_down_sync(kFullWarp, v, static_cast<unsigned>(delta));
}
template <typename T>
ATROUS_DEVICE T shuffle_xor(T v, int mask) {
  return __shfl_xor_sync(kFullWarp, v, mask);
}
ATROUS_DEVICE unsigned warp_ballot(bool vote) { return __ballot_sync(kFullWarp, vote); }
ATROUS_DEVICE bool warp_any(bool vote) { return __any_sync(kFullWarp, vote) != 0; }

ATROUS_DEVICE float atomic_add(float* p, float v) { return atomicAdd(p, v); }
ATROUS_DEVICE int atomic_add(int* p, int v) { return atomicAdd(p, v); }
ATROUS_DEVICE int atomic_max(int* p, int v) { return atomicMax(p, v); }
ATROUS_DEVICE int atomic_or(int* p, int v) { return atomicOr(p, v); }

ATROUS_DEVICE unsigned shared_address(const void* shared) {
  return static_cast<unsigned>(__cvta_generic_to_shared(shared));
}

ATROUS_DEVICE void copy_async16(void* shared, const void* global, int valid_bytes) {
  ATROUS_PTX_SM80("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(global),
                  "r"(valid_bytes)
                  : "memory");
}
ATROUS_DEVICE void copy_async_commit() { ATROUS_PTX_SM80("cp.async.commit_group;" ::: "memory"); }
template <int N>
ATROUS_DEVICE void copy_async_wait() {
  ATROUS_PTX_SM80("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

ATROUS_DEVICE void ldmatrix_x4(unsigned (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}
ATROUS_DEVICE void ldmatrix_x4_trans(unsigned (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}
ATROUS_DEVICE void ldmatrix_x2(unsigned (&r)[2], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(shared_address(row))
               : "memory");
}
ATROUS_DEVICE void ldmatrix_x2_trans(unsigned (&r)[2], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(shared_address(row))
               : "memory");
}

/// d += a * b, a [16, 16] by rows, b [16, 8] by columns, d [16, 8] in fp32.
template <typename T>
ATROUS_DEVICE void mma_m16n8k16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]);
template <>
ATROUS_DEVICE void mma_m16n8k16<f16>(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  ATROUS_PTX_SM80(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
template <>
ATROUS_DEVICE void mma_m16n8k16<bf16>(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  ATROUS_PTX_SM80(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// d += a * b, a [16, 8] by rows, b [8, 8] by columns, registers hold f32 of which the low 13 bits are
/// ignored.
ATROUS_DEVICE void mma_m16n8k8_tf32(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  ATROUS_PTX_SM80(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// Puts one launch on `stream`. Throws Error{internal} where the device refuses it.
template <typename... Params, typename... Args>
void launch(void (*kernel)(Params...), Dim3 grid, Dim3 block, std::size_t shared_bytes, StreamHandle stream,
            Args&&... args) {
  constexpr std::size_t kAlwaysAllowed = 48 * 1024;
  cudaError_t status = cudaSuccess;
  if (shared_bytes > kAlwaysAllowed)
    status = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  static_cast<int>(shared_bytes));
  if (status == cudaSuccess) {
    kernel<<<dim3(grid.x, grid.y, grid.z), dim3(block.x, block.y, block.z), shared_bytes, stream>>>(
        static_cast<Params>(args)...);
    status = cudaGetLastError();
  }
  if (status == cudaSuccess) return;
  cudaGetLastError();  // or the next launch would find this error too
  launch_error("launching a kernel", cudaGetErrorString(status));
}

}  // namespace atrous::cuda

#undef ATROUS_PTX_SM80
