// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace atrous {

/// Permutohedral lattice (Adams, Baek and Davis 2010): Gaussian filtering of values at points of a
/// d-dimensional feature space, unit standard deviation along each feature, in time linear in the number of
/// points. Built once for a set of points, then filters any number of times. Results do not depend on the
/// number of OpenMP threads.
class Permutohedral {
 public:
  static constexpr int kMostDimensions = 6;

  /// `features`: points x dimensions, a point's features together. 1 <= dimensions <= kMostDimensions.
  Permutohedral(std::span<const float> features, int dimensions);

  /// out_i ~ sum_j exp(-|f_i - f_j|^2 / 2) in_j for `channels` values a point (point-major, like the
  /// features); in may be out. `scratch` is resized as needed; pass the same one again to avoid allocation.
  void filter(const float* in, float* out, int channels, std::vector<float>& scratch) const;

  std::int64_t points() const { return points_; }
  std::int64_t vertices() const { return vertices_; }

 private:
  class VertexTable;
  void place_points(std::span<const float> features, VertexTable& table);
  void find_neighbours(const VertexTable& table);
  void list_contributions();

  int dimensions_;
  std::int64_t points_, vertices_ = 0;
  std::vector<std::int32_t> vertex_;        ///< points x (d+1): the simplex around each point
  std::vector<float> weight_;               ///< points x (d+1): its barycentric coordinates
  std::vector<std::int32_t> neighbour_;     ///< (d+1) x vertices x 2: along each axis, -1 where there is none
  std::vector<std::int64_t> first_;         ///< vertices + 1: where a vertex's contributions begin
  std::vector<std::int32_t> contribution_;  ///< indices into vertex_/weight_, grouped by vertex
};

}  // namespace atrous
