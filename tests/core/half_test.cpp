// SPDX-License-Identifier: Apache-2.0
#include "core/half.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "core/convert.h"

namespace atrous {
namespace {

/// IEEE binary16 by its definition.
double value_of(std::uint32_t half) {
  const int exponent = static_cast<int>(half >> 10U & 31U), mantissa = static_cast<int>(half & 1023U);
  const double magnitude =
      exponent < 31   ? std::ldexp(exponent > 0 ? 1024 + mantissa : mantissa, std::max(exponent, 1) - 25)
      : mantissa == 0 ? std::numeric_limits<double>::infinity()
                      : std::numeric_limits<double>::quiet_NaN();
  return half >> 15U != 0 ? -magnitude : magnitude;
}

TEST(Half, EveryOneIsReadAlsoFromOddAddresses) {
  std::vector<std::byte> file(1 + 2 * 65536);
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    std::memcpy(file.data() + 1 + 2 * bits, &half, sizeof half);
  }
  std::vector<float> values(65536);
  to_f32(file.data() + 1, DType::f16, 65536, values.data());
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const double expected = value_of(bits);
    const float one = half_to_float(static_cast<std::uint16_t>(bits));
    ASSERT_EQ(std::bit_cast<std::uint32_t>(one), std::bit_cast<std::uint32_t>(values[bits])) << bits;
    ASSERT_EQ(std::signbit(one), bits >> 15U != 0) << bits;
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(one)) << bits;
    } else {
      ASSERT_EQ(static_cast<double>(one), expected) << bits;
      ASSERT_EQ(float_to_half(one), bits);
    }
  }
}

#if defined(__x86_64__)
/// As threads are that load libraries which were compiled with -ffast-math.
TEST(Half, SubnormalsSurviveWhereSubnormalFloatsCountAsZeros) {
  constexpr unsigned kSubnormalsAreZeros = 0x8040;
  const unsigned before = _mm_getcsr();
  _mm_setcsr(before | kSubnormalsAreZeros);
  std::vector<std::uint16_t> halves(1024);
  std::iota(halves.begin(), halves.end(), std::uint16_t{0});
  std::vector<float> values(halves.size());
  to_f32(halves.data(), DType::f16, std::ssize(halves), values.data());
  _mm_setcsr(before);
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_EQ(values[i], std::ldexp(static_cast<float>(i), -24));
}
#endif

}  // namespace
}  // namespace atrous
