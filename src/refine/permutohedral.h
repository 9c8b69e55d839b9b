// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/large_vector.h"
#include "refine/vertex_table.h"

namespace atrous {

/// Permutohedral lattice (Adams, Baek and Davis 2010): Gaussian filtering of values at points of a
/// d-dimensional feature space, unit standard deviation along each feature, in time linear in the number of
/// points. This is the structure of a set of points: which vertices enclose each point, which points each
/// vertex gathers (splat), and which vertices follow each other along each axis (blur). lattice_filter.h
/// filters with it.
class Permutohedral {
 public:
  static constexpr int kMostDimensions = 5;
  static constexpr std::int64_t kCell = 1024;  ///< points that follow each other and share few vertices
  static constexpr int kReadAhead =
      12;  ///< entries behind a vertex's splats that may be read, for prefetching

  /// A share of a vertex in a point (slice), or of a point in a vertex (splat).
  struct Share {
    std::int32_t index;  ///< of the vertex, or of the point
    float weight;
  };

  /// Vertices that are neighbours along one axis, chain after chain, the last of each as ~vertex. A vertex
  /// without neighbours, which a blur leaves as it is, is in no chain.
  struct Chains {
    std::vector<std::int32_t> vertices;
    std::vector<std::int64_t> blocks;  ///< where blocks of whole chains begin, and the end
  };

  /// `features`: the d features of a point together, d from 1 to kMostDimensions. Points that are near each
  /// other should follow each other. Error{invalid_argument} where a feature is too large or not finite. The
  /// result does not depend on the number of threads.
  Permutohedral(std::span<const float> features, int dimensions);

  std::int64_t points() const { return points_; }
  std::int64_t vertices() const { return static_cast<std::int64_t>(first_.size()) - 1; }
  int corners() const { return dimensions_ + 1; }  ///< of the simplex around a point; axes, too

  const Share* slices(std::int64_t point) const { return slices_.data() + point * corners(); }
  std::span<const Share> splats(std::int64_t vertex) const {
    const auto v = static_cast<std::size_t>(vertex);
    return {splats_.data() + first_[v], splats_.data() + first_[v + 1]};
  }
  std::int64_t cells() const { return (points_ + kCell - 1) / kCell; }
  /// The vertices that enclose points of a cell, each once.
  std::span<const std::int32_t> cell_vertices(std::int64_t cell) const {
    const auto c = static_cast<std::size_t>(cell);
    return {cell_vertices_.data() + cell_first_[c], cell_vertices_.data() + cell_first_[c + 1]};
  }
  const Chains& chains(int axis) const { return chains_[static_cast<std::size_t>(axis)]; }

  /// What a slice is multiplied by after the blurs of all axes.
  float blur_gain() const;

  /// sum_j exp(-|f_i - f_j|^2 / 2), filtered: what each point's weights are normalised by.
  std::vector<float> filter_ones() const;

  /// Multiplies the weights of every point's splats by before[point] and of its slices by factor *
  /// after[point]; an empty vector is all ones. Returns what no value of a vertex exceeds where the filtered
  /// values are between 0 and 1.
  float scale(std::span<const float> before, std::span<const float> after, float factor);

 private:
  struct Cell;
  void place_points(std::span<const float> features, std::int64_t number, Cell& cell);
  VertexTable merge(std::span<const Cell> cells);
  void list_splats(std::span<Cell> cells);
  void link(const VertexTable& table);

  int dimensions_;
  std::int64_t points_;
  std::vector<std::int64_t> cell_first_;  ///< cells + 1: where a cell's vertices begin
  std::vector<std::int32_t> cell_vertices_;
  LargeVector<Share> slices_;         ///< points x (d+1), barycentric weights
  std::vector<std::uint32_t> first_;  ///< vertices + 1: where a vertex's splats begin
  LargeVector<Share> splats_;         ///< grouped by vertex, points in order
  std::vector<Chains> chains_;        ///< d+1
};

}  // namespace atrous
