// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace atrous {

/// exp(x) within 3e-7 relative for |x| <= 87, clamped beyond; branch-free, so that loops of it vectorise.
/// exp(x) = 2^i * e^f with i = round(x / ln 2) and a degree-6 Taylor polynomial for |f| <= ln(2)/2.
inline float fast_exp(float x) {
  x = x < -87.0F ? -87.0F : x;
  x = x > 88.0F ? 88.0F : x;
  const float rounded = (x * 1.44269504F + 12582912.0F) - 12582912.0F;
  const float f = (x - rounded * 0.693359375F) + rounded * 2.12194440e-4F;
  float p = 1.0F / 720.0F;
  p = p * f + 1.0F / 120.0F;
  p = p * f + 1.0F / 24.0F;
  p = p * f + 1.0F / 6.0F;
  p = p * f + 0.5F;
  p = p * f + 1.0F;
  p = p * f + 1.0F;
  return p * std::bit_cast<float>((static_cast<std::int32_t>(rounded) + 127) << 23);
}

}  // namespace atrous
