// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <random>
#include <vector>

#include "core/image.h"
#include "refine/crf_params.h"

namespace atrous::test {

struct Case {
  Image image;
  ScoreMap unary;
};

inline Case random_case(int width, int height, int classes, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_int_distribution<int> color(0, 255);
  std::uniform_real_distribution<float> energy(0.1F, 4);
  Case c{{width, height, {}}, {width, height, classes, {}}};
  for (int i = 0; i < width * height * 3; ++i)
    c.image.rgb.push_back(static_cast<std::uint8_t>(color(generator)));
  for (int i = 0; i < width * height * classes; ++i) c.unary.values.push_back(energy(generator));
  return c;
}

/// Mean field in double precision. add_messages(q, messages) adds the filtered q of all points and labels.
template <typename F>
std::vector<double> mean_field(const Case& c, const CrfParams& p, const F& add_messages) {
  const std::size_t n = c.unary.pixels(), classes = static_cast<std::size_t>(c.unary.classes);
  std::vector<double> q(n * classes), t(n * classes);
  auto softmax_all = [&] {
    for (std::size_t i = 0; i < n; ++i) {
      double sum = 0;
      for (std::size_t l = 0; l < classes; ++l) sum += std::exp(t[i * classes + l]);
      for (std::size_t l = 0; l < classes; ++l) q[i * classes + l] = std::exp(t[i * classes + l]) / sum;
    }
  };
  for (std::size_t i = 0; i < t.size(); ++i) t[i] = -c.unary.values[i];
  softmax_all();
  for (int it = 0; it < p.iterations; ++it) {
    std::vector<double> message(n * classes);
    add_messages(q, message);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t a = 0; a < classes; ++a) {
        double pairwise = message[i * classes + a];
        if (!p.compatibility.empty()) {
          pairwise = 0;
          for (std::size_t b = 0; b < classes; ++b)
            pairwise -= p.compatibility[a * classes + b] * message[i * classes + b];
        }
        t[i * classes + a] = pairwise - c.unary.values[i * classes + a];
      }
    softmax_all();
  }
  return q;
}

/// Likewise with the exact kernels: every pair of pixels.
inline std::vector<double> exact_mean_field(const Case& c, const CrfParams& p) {
  const std::size_t n = c.unary.pixels(), classes = static_cast<std::size_t>(c.unary.classes);
  struct Kernel {
    std::vector<double> values, norm;
    double weight;
  };
  std::vector<Kernel> kernels;
  auto add = [&](double sxy, double srgb, double weight, bool color) {
    Kernel k{std::vector<double>(n * n), std::vector<double>(n), weight};
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) {
        const auto w = static_cast<std::size_t>(c.image.width);
        const double dx = (static_cast<double>(i % w) - static_cast<double>(j % w)) / sxy;
        const double dy = (static_cast<double>(i / w) - static_cast<double>(j / w)) / sxy;
        double d = dx * dx + dy * dy;
        for (std::size_t ch = 0; color && ch < 3; ++ch)
          d += std::pow((c.image.rgb[3 * i + ch] - c.image.rgb[3 * j + ch]) / srgb, 2);
        k.values[i * n + j] = std::exp(-d / 2);
        k.norm[i] += k.values[i * n + j];
      }
    kernels.push_back(k);
  };
  for (const auto& g : p.gaussian) add(g.sxy, 1, g.weight, false);
  for (const auto& b : p.bilateral) add(b.sxy, b.srgb, b.weight, true);
  return mean_field(c, p, [&](const std::vector<double>& q, std::vector<double>& message) {
    for (const Kernel& k : kernels)
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j) {
          double v = k.weight * k.values[i * n + j];
          if (p.normalization == Normalization::before) v /= k.norm[j];
          if (p.normalization == Normalization::after) v /= k.norm[i];
          if (p.normalization == Normalization::symmetric) v /= std::sqrt(k.norm[i] * k.norm[j]);
          for (std::size_t l = 0; l < classes; ++l) message[i * classes + l] += v * q[j * classes + l];
        }
  });
}

}  // namespace atrous::test
