// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace atrous {

/// IEEE binary16 and bfloat16, to and from f32, round to nearest even.
/// Without branches, so that loops of it become vectors, and without subnormal floats, which are slow and
/// which a thread may be told to take for zeros.
inline float half_to_float(std::uint16_t h) {
  const std::uint32_t sign = (h & 0x8000U) << 16U, magnitude = (h & 0x7fffU) << 13U;
  const float subnormal = std::bit_cast<float>(0x38800000U | magnitude) - 0x1p-14F;
  const std::uint32_t not_finite = magnitude >= 0x0f800000U ? 0x7f800000U : 0,
                      normal = magnitude + (112U << 23U),
                      bits = magnitude < 0x00800000U ? std::bit_cast<std::uint32_t>(subnormal) : normal;
  return std::bit_cast<float>(bits | not_finite | sign);
}

inline std::uint16_t float_to_half(float f) {
  std::uint32_t bits = std::bit_cast<std::uint32_t>(f);
  std::uint32_t sign = (bits >> 16U) & 0x8000U;
  bits &= 0x7fffffffU;
  if (bits > 0x7f800000U) return static_cast<std::uint16_t>(sign | 0x7e00U);   // NaN
  if (bits >= 0x47800000U) return static_cast<std::uint16_t>(sign | 0x7c00U);  // 65536 and above: infinity
  if (bits < 0x38800000U) {  // subnormal: multiples of 2^-24
    float scaled = std::bit_cast<float>(bits) * 16777216.0F;
    return static_cast<std::uint16_t>(sign | static_cast<std::uint32_t>(std::nearbyint(scaled)));
  }
  std::uint32_t rounded = bits + 0xfffU + ((bits >> 13U) & 1U) - (112U << 23U);
  return static_cast<std::uint16_t>(sign | (rounded >> 13U));
}

inline float bfloat16_to_float(std::uint16_t b) { return std::bit_cast<float>(std::uint32_t{b} << 16U); }

inline std::uint16_t float_to_bfloat16(float f) {
  std::uint32_t bits = std::bit_cast<std::uint32_t>(f);
  if ((bits & 0x7fffffffU) > 0x7f800000U) return static_cast<std::uint16_t>((bits >> 16U) | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16U) & 1U)) >> 16U);
}

}  // namespace atrous
