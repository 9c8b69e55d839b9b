// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "core/types.h"

namespace atrous {

/// `count` values stored as `from` says, f32, bf16 or 8 bits, become f32.
void to_f32_row(const void* in, const TensorDesc& from, float* out, std::int64_t count);

/// `count` f32 values stored as `to` says. As bf16: rounded, ties to even; NaN stays NaN. On 8 bits: rounded
/// to the nearest step, ties to even, and clamped; NaN becomes the least value.
void from_f32_row(const float* in, const TensorDesc& to, void* out, std::int64_t count);

}  // namespace atrous
