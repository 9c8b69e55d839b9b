// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/large_vector.h"
#include "refine/enclose.h"
#include "refine/vertex_table.h"

namespace atrous {

/// Permutohedral lattice (Adams, Baek and Davis 2010): Gaussian filtering of values at points of a
/// d-dimensional feature space, unit standard deviation along each feature, in time linear in the number of
/// points. This is the structure of a set of points: which vertices enclose each point (splat and slice), and
/// which vertices follow each other along each axis (blur). lattice_filter.h filters with it.
///
/// Points are in cells of kCell that follow each other and share few vertices. A cell knows its vertices by
/// numbers of its own, so that what passes between its points and vertices stays in the cache; a vertex then
/// adds up what the cells around it gathered, each of which has a slot for each of its vertices.
class Permutohedral {
 public:
  static constexpr std::int64_t kCell = 4096;
  static constexpr float kWhole = 65535;  ///< the weight of a point that lies on a vertex

  /// The shares of a cell's points in its vertices: of corner r and point i at [r * kCell + i]. Behind the
  /// last point weights are 0.
  struct Shares {
    const std::uint16_t *vertices, *weights;
  };

  /// Of every vertex the one before and the one after it along an axis; vertices() where there is none, and
  /// for vertices() itself.
  struct Pair {
    std::int32_t before, after;
  };
  using Neighbours = LargeVector<Pair>;

  /// Writes feature j of point first + i, for i < count, to to[j * Simplices::kMostPoints + i]; the result
  /// does not depend on how points are asked for.
  using Features = std::function<void(std::int64_t first, int count, float* to)>;

  /// Of points of d features each, d from 1 to Simplices::kMostDimensions. Points that are near each other
  /// should follow each other. Error{invalid_argument} where a feature is too large or not finite. The result
  /// does not depend on the number of threads.
  Permutohedral(std::int64_t points, int dimensions, const Features& features);

  std::int64_t points() const { return points_; }
  std::int64_t vertices() const { return static_cast<std::int64_t>(vertex_first_.size()) - 1; }
  int corners() const { return dimensions_ + 1; }  ///< of the simplex around a point; axes, too

  std::int64_t cells() const { return (points_ + kCell - 1) / kCell; }
  Shares shares(std::int64_t cell) const {
    const auto first = static_cast<std::size_t>(cell * corners() * kCell);
    return {share_vertices_.data() + first, share_weights_.data() + first};
  }
  /// The vertices that enclose points of a cell, each once. The k-th has the slot first_slot(cell) + k.
  std::span<const std::int32_t> cell_vertices(std::int64_t cell) const {
    return part(cell_vertices_, cell_first_, cell);
  }
  std::int64_t first_slot(std::int64_t cell) const { return cell_first_[static_cast<std::size_t>(cell)]; }
  /// The slots of a vertex, in the cells' order.
  std::span<const std::int32_t> vertex_slots(std::int64_t vertex) const {
    return part(vertex_slots_, vertex_first_, vertex);
  }
  std::int64_t slots() const { return std::ssize(vertex_slots_); }

  const std::vector<Neighbours>& neighbours() const { return neighbours_; }  ///< of each axis

  /// to[i] <- the sum of weight * value over the corners of a cell's point i, for kCell points; `values` are
  /// those of cell_vertices(). Behind the last point 0.
  void slice(std::int64_t cell, const float* values, float* to) const;

  /// What a slice is multiplied by after the blurs of all axes.
  float blur_gain() const;

  /// Of each vertex, the sum of the points' weights in it.
  std::vector<float> splat_ones() const;

  /// sum_j exp(-|f_i - f_j|^2 / 2), filtered: what each point's weights are normalised by. Of splat_ones().
  std::vector<float> filter_ones(std::vector<float> splatted) const;

 private:
  static std::span<const std::int32_t> part(const std::vector<std::int32_t>& all,
                                            const std::vector<std::int32_t>& first, std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    return {all.data() + first[at], all.data() + first[at + 1]};
  }
  void place_points(const Features& features, std::int64_t cell, LargeVector<LatticeKey>& keys);
  VertexTable merge(std::span<const LargeVector<LatticeKey>> cells);
  void assign_slots(std::int64_t vertices);
  void link(const VertexTable& table);

  int dimensions_;
  std::int64_t points_;
  LargeVector<std::uint16_t> share_vertices_, share_weights_;  ///< cells x (d+1) x kCell
  std::vector<std::int32_t> cell_vertices_, cell_first_;       ///< and where a cell's begin: cells + 1
  std::vector<std::int32_t> vertex_slots_, vertex_first_;      ///< and where a vertex's begin: vertices + 1
  std::vector<Neighbours> neighbours_;                         ///< d+1
};

}  // namespace atrous
