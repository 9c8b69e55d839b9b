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
/// points. This is the structure of a set of points: which vertices enclose each point (splat and slice), and
/// which vertices follow each other along each axis (blur). lattice_filter.h filters with it.
///
/// Points are in cells of kCell that follow each other and share few vertices. A cell knows its vertices by
/// numbers of its own, so that what passes between its points and vertices stays in the cache; a vertex then
/// adds up what the cells around it gathered, each of which has a slot for it.
class Permutohedral {
 public:
  static constexpr int kMostDimensions = 5;
  static constexpr std::int64_t kCell = 4096;
  static constexpr float kWhole = 65535;  ///< the weight of a point that lies on a vertex

  /// The shares of a cell's points in its vertices: of corner r and point i at [r * kCell + i]. Behind the
  /// last point weights are 0.
  struct Shares {
    const std::uint16_t *vertices, *weights;
  };

  /// Of every vertex the one before and the one after it along an axis; vertices() where there is none.
  struct Neighbours {
    LargeVector<std::int32_t> before, after;
  };

  /// `features`: the d features of a point together, d from 1 to kMostDimensions. Points that are near each
  /// other should follow each other. Error{invalid_argument} where a feature is too large or not finite. The
  /// result does not depend on the number of threads.
  Permutohedral(std::span<const float> features, int dimensions);

  std::int64_t points() const { return points_; }
  std::int64_t vertices() const { return static_cast<std::int64_t>(first_slot_.size()) - 1; }
  int corners() const { return dimensions_ + 1; }  ///< of the simplex around a point; axes, too

  std::int64_t cells() const { return (points_ + kCell - 1) / kCell; }
  Shares shares(std::int64_t cell) const {
    const auto first = static_cast<std::size_t>(cell * corners() * kCell);
    return {share_vertices_.data() + first, share_weights_.data() + first};
  }
  /// The vertices that enclose points of a cell, each once.
  std::span<const std::int32_t> cell_vertices(std::int64_t cell) const {
    return of_cell(cell_vertices_, cell);
  }
  /// Of each of cell_vertices(), the slot in which it keeps what the cell gathers.
  std::span<const std::int32_t> cell_slots(std::int64_t cell) const { return of_cell(cell_slots_, cell); }
  /// A vertex has the slots [first_slot(v), first_slot(v + 1)), in the cells' order.
  std::int32_t first_slot(std::int64_t vertex) const { return first_slot_[static_cast<std::size_t>(vertex)]; }
  std::int32_t slot_vertex(std::int64_t slot) const { return slot_vertices_[static_cast<std::size_t>(slot)]; }
  std::int64_t slots() const { return static_cast<std::int64_t>(cell_slots_.size()); }

  const Neighbours& neighbours(int axis) const { return neighbours_[static_cast<std::size_t>(axis)]; }

  /// What a slice is multiplied by after the blurs of all axes.
  float blur_gain() const;

  /// Of each vertex, the sum of the points' weights in it.
  std::vector<float> splat_ones() const;

  /// sum_j exp(-|f_i - f_j|^2 / 2), filtered: what each point's weights are normalised by. Of splat_ones().
  std::vector<float> filter_ones(std::vector<float> splatted) const;

 private:
  template <typename T>
  std::span<const T> of_cell(const std::vector<T>& all, std::int64_t cell) const {
    const auto c = static_cast<std::size_t>(cell);
    return {all.data() + cell_first_[c], all.data() + cell_first_[c + 1]};
  }
  void place_points(std::span<const float> features, std::int64_t cell, LargeVector<LatticeKey>& keys);
  VertexTable merge(std::span<const LargeVector<LatticeKey>> cells);
  void assign_slots(std::int64_t vertices);
  void link(const VertexTable& table);

  int dimensions_;
  std::int64_t points_;
  LargeVector<std::uint16_t> share_vertices_, share_weights_;  ///< cells x (d+1) x kCell
  std::vector<std::int64_t> cell_first_;                       ///< cells + 1: where a cell's vertices begin
  std::vector<std::int32_t> cell_vertices_, cell_slots_;
  std::vector<std::int32_t> first_slot_;  ///< vertices + 1
  std::vector<std::int32_t> slot_vertices_;
  std::vector<Neighbours> neighbours_;  ///< d+1
};

}  // namespace atrous
