// SPDX-License-Identifier: Apache-2.0
#include "refine/cielab.h"

#include <array>
#include <cmath>

#include "core/parallel.h"

namespace atrous {
namespace {

std::array<float, 256> linear_light() {
  std::array<float, 256> table{};
  for (std::size_t i = 0; i < table.size(); ++i) {
    const double v = static_cast<double>(i) / 255;
    table[i] = static_cast<float>(v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4));
  }
  return table;
}

float lab_curve(float t) { return t > 0.008856F ? std::cbrt(t) : 7.787F * t + 16.0F / 116; }

}  // namespace

std::vector<float> to_cielab(const ImageView& image) {
  static const std::array<float, 256> kLinear = linear_light();
  std::vector<float> lab(static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height) * 3);
  parallel_for(image.height, [&](std::int64_t y) {
    const std::uint8_t* rgb = image.row(static_cast<int>(y));
    float* out = lab.data() + y * image.width * 3;
    for (int x = 0; x < image.width; ++x, rgb += 3, out += 3) {
      const float r = kLinear[rgb[0]], g = kLinear[rgb[1]], b = kLinear[rgb[2]];
      const float fx = lab_curve((0.4124564F * r + 0.3575761F * g + 0.1804375F * b) / 0.95047F);
      const float fy = lab_curve(0.2126729F * r + 0.7151522F * g + 0.0721750F * b);
      const float fz = lab_curve((0.0193339F * r + 0.1191920F * g + 0.9503041F * b) / 1.08883F);
      out[0] = 116 * fy - 16, out[1] = 500 * (fx - fy), out[2] = 200 * (fy - fz);
    }
  });
  return lab;
}

}  // namespace atrous
