// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/cuda/runtime.h"
#include "core/types.h"

/// One-warp kernels that do what one wrapper of kernels/device.h does, for comparing it with its definition.
/// All pointers are to device memory.
namespace atrous::cuda {

/// bits[i]: in[i] as f16 or bf16; back[i]: that as f32.
void launch_convert(DType dtype, const float* in, std::uint16_t* bits, float* back, int count);
void launch_to_tf32(const float* in, float* out, int count);

/// What each of the 32 lanes got.
struct WarpExchange {
  float from_source, down, across, sum, largest;
  unsigned ballot;
  int any, any_of_none, lane;
};
/// Lane i gives values[i] to the shuffles (source lane sources[i]; down by `delta`; xor `mask`) and votes
/// whether it is > 0.
void launch_warp_exchange(const float* values, const int* sources, int delta, int mask, WarpExchange* out);

/// 128 threads: counts[0] += 1, counts[1] = max(thread id % 7), counts[2] |= 1 << id % 5, sum += id; old[id]:
/// before counts[0].
void launch_atomics(int* counts, float* sum, int* old);

/// 32 lanes copy 16 bytes each, of which lane i has i % 17 valid, in two groups; out: what shared memory
/// holds after each wait.
void launch_copy_async(const unsigned char* in, unsigned char* out);

/// Lane i points ldmatrix (x4, else x2) to row rows[i] of `tile`, [32, 8] of 2-byte elements; out: 4 (2)
/// registers a lane.
void launch_ldmatrix(bool x4, bool transposed, const std::uint16_t* tile, const int* rows, unsigned* out);

/// d += a * b; a: 4, b: 2, d: 4 registers a lane. f16 and bf16: m16n8k16, f32: m16n8k8 in tf32.
void launch_mma(DType dtype, const unsigned* a, const unsigned* b, float* d);

/// out[i] = in[i] through vectors of 16 bytes; count is a multiple of 8 (f16, bf16) or 4 (f32).
void launch_pack_copy(DType dtype, const void* in, void* out, int count);

}  // namespace atrous::cuda
