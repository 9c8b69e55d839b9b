// SPDX-License-Identifier: Apache-2.0
#include "refine/cielab.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace atrous {
namespace {

/// One pixel by the standard's formulas in double precision.
std::array<double, 3> reference(const std::uint8_t* rgb) {
  std::array<double, 3> light{};
  for (std::size_t c = 0; c < 3; ++c) {
    const double v = rgb[c] / 255.0;
    light[c] = v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
  }
  const auto& [r, g, b] = light;
  auto curve = [](double t) { return t > 0.008856 ? std::cbrt(t) : 7.787 * t + 16.0 / 116; };
  const double x = curve((0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047),
               y = curve(0.2126729 * r + 0.7151522 * g + 0.0721750 * b),
               z = curve((0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883);
  return {116 * y - 16, 500 * (x - y), 200 * (y - z)};
}

TEST(Cielab, FollowsTheStandard) {
  Image image{37, 125, {}};
  for (int i = 0; i < 37 * 125; ++i) {
    const int colour = i * 59;  // every part of the cube
    for (int shift : {0, 6, 12})
      image.rgb.push_back(static_cast<std::uint8_t>((colour >> shift) % 64 * 255 / 63));
  }
  const LabImage lab = to_cielab(image.view());
  ASSERT_EQ(lab.stride, 40);
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < lab.stride; ++x) {
      const auto at = static_cast<std::size_t>(y * lab.stride + x);
      const auto expected =
          x < image.width ? reference(image.view().row(y) + 3 * x) : std::array<double, 3>{};
      ASSERT_NEAR(lab.l[at], expected[0], 1e-3);
      ASSERT_NEAR(lab.a[at], expected[1], 2e-3);
      ASSERT_NEAR(lab.b[at], expected[2], 2e-3);
    }
}

}  // namespace
}  // namespace atrous
