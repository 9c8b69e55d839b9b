// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "refine/label_rows.h"
#include "refine/permutohedral.h"

namespace atrous {

/// Flags that threads raise at the same time.
class Flags {
 public:
  Flags(std::int64_t count, bool raised) : values_(static_cast<std::size_t>(count), raised ? 1 : 0) {}
  bool operator[](std::int64_t i) const { return values_[static_cast<std::size_t>(i)] != 0; }
  void raise(std::int64_t i) {
    std::atomic_ref<std::uint8_t> value(values_[static_cast<std::size_t>(i)]);
    if (value.load(std::memory_order_relaxed) == 0) value.store(1, std::memory_order_relaxed);
  }
  void lower(std::int64_t i) { values_[static_cast<std::size_t>(i)] = 0; }
  std::uint8_t* data() { return values_.data(); }

 private:
  std::vector<std::uint8_t> values_;
};

/// Points with `labels` values each, which change a few at a time.
struct ChangingRows {
  ChangingRows(std::int64_t points, int labels)
      : now(points, labels, true), change(points, labels, true), changed(points, true) {
    now.clear();
  }

  LabelRows now;
  LabelRows change;  ///< of the points that changed, what `now` has more than before
  Flags changed;     ///< since the filters last saw them
};

/// A filter over a lattice that follows what it filters: it keeps the blurred values of the vertices, passes
/// only changes through the lattice, and knows how far each vertex has moved. Runs on the caller's OpenMP
/// team; the result does not depend on its size.
class LatticeFilter {
 public:
  /// Of values between 0 and 1, at first all 0. normalised as in crf_params.h, times `weight`.
  LatticeFilter(Permutohedral lattice, std::span<const float> before, std::span<const float> after,
                float weight, int labels);

  const Permutohedral& lattice() const { return lattice_; }
  /// Blurred values of the vertices; the filter's value at a point is the sum of its slices of them.
  const LabelRows& values() const { return values_; }

  /// How far the filter's value at a point can have moved, in any label, since values() were 0.
  float travel(std::int64_t point) const {
    float sum = 0;
    for (int r = 0; r < lattice_.corners(); ++r) {
      const Permutohedral::Share& s = lattice_.slices(point)[r];
      sum += s.weight * travel_[static_cast<std::size_t>(s.index)];
    }
    return sum;
  }

  /// How far, at most, the value at any point of a cell (Permutohedral::kCell) moved with the last follow().
  float stir(std::int64_t cell) const {
    float most = 0;
    for (std::int32_t v : lattice_.cell_vertices(cell))
      most = std::max(most, moved_[static_cast<std::size_t>(v)]);
    return most * reach_[static_cast<std::size_t>(cell)];
  }

  /// To be called for every point whose value changed, before follow().
  void touch(std::int64_t point) {
    for (int r = 0; r < lattice_.corners(); ++r) dirty_.raise(lattice_.slices(point)[r].index);
  }
  /// From now on only for the labels kept[0], kept[1], ... of those so far.
  void narrow(std::span<const int> kept);

  /// Takes in the changes of the touched points.
  void follow(const ChangingRows& points);

 private:
  Permutohedral lattice_;
  LabelRows values_, change_;
  Flags dirty_;                ///< vertices that have a change
  std::vector<float> reach_;   ///< a cell: the largest sum of a point's slice weights
  std::vector<float> moved_;   ///< a vertex: its last change, of the label that changed most
  std::vector<float> travel_;  ///< a vertex: the sum of moved_
};

}  // namespace atrous
