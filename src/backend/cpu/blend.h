// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace atrous {

/// out[i] = a[i] + (b[i] - a[i]) * t for `count` contiguous values.
void blend(const float* a, const float* b, float t, float* out, std::int64_t count);

}  // namespace atrous
