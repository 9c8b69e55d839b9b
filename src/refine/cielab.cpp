// SPDX-License-Identifier: Apache-2.0
#include "refine/cielab.h"

#include <array>
#include <bit>
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

/// One of Halley's steps towards the cube root of t.
inline float closer(float root, float t) {
  const float cube = root * root * root;
  return root * (cube + 2 * t) / (2 * cube + t);
}

/// Relative error below 1e-6 for t > 0: a third of the exponent, then two steps; unlike std::cbrt it
/// vectorises.
inline float cube_root(float t) {
  const auto guess = std::bit_cast<float>(std::bit_cast<std::uint32_t>(t) / 3 + 709921077U);
  return closer(closer(guess, t), t);
}

inline float lab_curve(float t) {
  const float root = cube_root(t), line = 7.787F * t + 16.0F / 116;
  return t > 0.008856F ? root : line;
}

/// `count` pixels, linear red, green and blue in, L, a and b out, in place.
ATROUS_VECTORISE void convert(float* red, float* green, float* blue, std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    const float r = red[i], g = green[i], b = blue[i];
    const float fx = lab_curve((0.4124564F * r + 0.3575761F * g + 0.1804375F * b) / 0.95047F);
    const float fy = lab_curve(0.2126729F * r + 0.7151522F * g + 0.0721750F * b);
    const float fz = lab_curve((0.0193339F * r + 0.1191920F * g + 0.9503041F * b) / 1.08883F);
    red[i] = 116 * fy - 16, green[i] = 500 * (fx - fy), blue[i] = 200 * (fy - fz);
  }
}

}  // namespace

LabImage to_cielab(const ImageView& image) {
  static const std::array<float, 256> kLinear = linear_light();
  constexpr std::ptrdiff_t kLanes = LabImage::kLanes;
  LabImage lab;
  lab.stride = (image.width + kLanes - 1) / kLanes * kLanes;
  for (std::vector<float>* plane : {&lab.l, &lab.a, &lab.b})
    plane->resize(static_cast<std::size_t>(lab.stride) * static_cast<std::size_t>(image.height));
  parallel_for(image.height, [&](std::int64_t y) {
    const std::uint8_t* rgb = image.row(static_cast<int>(y));
    float *l = lab.l.data() + y * lab.stride, *a = lab.a.data() + y * lab.stride,
          *b = lab.b.data() + y * lab.stride;
    for (int x = 0; x < image.width; ++x, rgb += 3)
      l[x] = kLinear[rgb[0]], a[x] = kLinear[rgb[1]], b[x] = kLinear[rgb[2]];
    convert(l, a, b, image.width);
  });
  return lab;
}

}  // namespace atrous
