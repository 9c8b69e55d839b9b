// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "backend/cuda/runtime.h"
#include "core/types.h"

namespace atrous::cuda {

/// out[x, y] = in[y, x] on the device, in [rows, columns] of f32, f16 or bf16.
void launch_transpose(DType dtype, const void* in, void* out, int rows, int columns, StreamHandle stream);

/// sum[0] += the sum of in[0 .. count), f32, which a caller sets to 0 before.
void launch_sum(const float* in, float* sum, int count, StreamHandle stream);

}  // namespace atrous::cuda
