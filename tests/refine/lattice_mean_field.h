// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "refine/exact_mean_field.h"
#include "refine/permutohedral.h"

namespace atrous::test {

/// Values of points filtered by a kernel over a lattice, in double precision, by the definition: splat, blur
/// along each axis, slice.
class LatticeKernel {
 public:
  /// Of the image's pixels, in their order: (x, y) / sxy and, where `srgb` is not 0, (r, g, b) / srgb.
  LatticeKernel(const Image& image, float sxy, float srgb)
      : lattice_(std::int64_t{image.width} * image.height, srgb != 0 ? 5 : 2,
                 [&](std::int64_t first, int count, float* to) {
                   for (int i = 0; i < count; ++i) {
                     const auto pixel = static_cast<int>(first) + i;
                     to[i] = static_cast<float>(pixel % image.width) / sxy;
                     to[Simplices::kMostPoints + i] = static_cast<float>(pixel / image.width) / sxy;
                     for (int c = 0; c < 3 && srgb != 0; ++c)
                       to[(2 + c) * Simplices::kMostPoints + i] =
                           static_cast<float>(image.rgb[static_cast<std::size_t>(3 * pixel + c)]) / srgb;
                   }
                 }) {}

  std::vector<double> filter(const std::vector<double>& values, int classes) const {
    const auto width = static_cast<std::size_t>(classes);
    std::vector<double> at(static_cast<std::size_t>(lattice_.vertices() + 1) * width);
    each_share([&](std::size_t point, std::size_t vertex, double weight) {
      for (std::size_t l = 0; l < width; ++l) at[vertex * width + l] += weight * values[point * width + l];
    });
    for (const Permutohedral::Neighbours& neighbours : lattice_.neighbours()) {
      std::vector<double> blurred(at.size());
      for (std::size_t v = 0; v + 1 < neighbours.size(); ++v) {
        const auto before = static_cast<std::size_t>(neighbours[v].before),
                   after = static_cast<std::size_t>(neighbours[v].after);
        for (std::size_t l = 0; l < width; ++l)
          blurred[v * width + l] = at[v * width + l] + (at[before * width + l] + at[after * width + l]) / 2;
      }
      at.swap(blurred);
    }
    std::vector<double> result(values.size());
    each_share([&](std::size_t point, std::size_t vertex, double weight) {
      for (std::size_t l = 0; l < width; ++l)
        result[point * width + l] +=
            weight * at[vertex * width + l] / (1 + std::exp2(1 - lattice_.corners()));
    });
    return result;
  }

 private:
  template <typename F>
  void each_share(const F& f) const {
    constexpr std::int64_t kCell = Permutohedral::kCell;
    for (std::int64_t cell = 0; cell < lattice_.cells(); ++cell)
      for (int r = 0; r < lattice_.corners(); ++r)
        for (std::int64_t i = 0; i < std::min(kCell, lattice_.points() - cell * kCell); ++i) {
          const Permutohedral::Shares shares = lattice_.shares(cell);
          const std::int32_t vertex = lattice_.cell_vertices(cell)[shares.vertices[r * kCell + i]];
          f(static_cast<std::size_t>(cell * kCell + i), static_cast<std::size_t>(vertex),
            shares.weights[r * kCell + i] / double{Permutohedral::kWhole});
        }
  }

  Permutohedral lattice_;
};

/// Mean field in double precision with the kernels that the lattice makes of Gaussians.
inline std::vector<double> lattice_mean_field(const Case& c, const CrfParams& p) {
  std::vector<std::pair<LatticeKernel, double>> kernels;
  for (const auto& g : p.gaussian) kernels.emplace_back(LatticeKernel(c.image, g.sxy, 0), g.weight);
  for (const auto& b : p.bilateral) kernels.emplace_back(LatticeKernel(c.image, b.sxy, b.srgb), b.weight);
  const std::size_t points = c.unary.pixels();
  const int classes = c.unary.classes;
  auto add_messages = [&](const std::vector<double>& q, std::vector<double>& messages) {
    for (const auto& [kernel, weight] : kernels) {
      const std::vector<double> norm = kernel.filter(std::vector<double>(points, 1), 1);
      auto share = [&](std::size_t i, Normalization one) {
        const bool symmetric = p.normalization == Normalization::symmetric;
        const double n = norm[i / static_cast<std::size_t>(classes)];
        return symmetric ? 1 / std::sqrt(n) : p.normalization == one ? 1 / n : 1;
      };
      std::vector<double> given(q);
      for (std::size_t i = 0; i < q.size(); ++i) given[i] *= share(i, Normalization::before);
      given = kernel.filter(given, classes);
      for (std::size_t i = 0; i < q.size(); ++i)
        messages[i] += weight * given[i] * share(i, Normalization::after);
    }
  };
  return mean_field(c, p, add_messages);
}

}  // namespace atrous::test
