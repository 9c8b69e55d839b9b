// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "backend/cuda/runtime.h"
#include "core/types.h"

/// Kernels of one block that do what wrappers of kernels/device_sm90.h do, for comparing them with their
/// definitions. All pointers are to device memory.
namespace atrous::cuda {

/// Whether this build has them.
bool built_for_warpgroups();

/// Two boxes of a tensor of four axes, from `first` and `second`, one after the other; out: the shared memory
/// of both, each `bytes` from a multiple of `apart`, itself one of 1024.
void launch_bulk_copies(const TensorMap& map, const std::array<int, 4>& first,
                        const std::array<int, 4>& second, int bytes, int apart, unsigned char* out);

/// d += a * b by one warpgroup over `steps` times 64 of K; a [64, 64 * steps], b [columns, 64 * steps], f16
/// or bf16, K contiguous; columns 64 or 128; d [128 threads, columns / 2] in the order of their registers.
void launch_warpgroup_product(DType dtype, int columns, int steps, const TensorMap& a, const TensorMap& b,
                              float* d);

}  // namespace atrous::cuda
