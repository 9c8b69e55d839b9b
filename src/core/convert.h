// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "core/types.h"

namespace atrous {

/// `count` values of `dtype` (f32, f16, bf16, or i32 and s8 as numbers) as f32. `in` needs no alignment.
void to_f32(const void* in, DType dtype, std::int64_t count, float* out);

/// f32 values as f32, f16 or bf16, rounded to nearest even. `out` needs no alignment.
void from_f32(const float* in, std::int64_t count, DType dtype, void* out);

}  // namespace atrous
