// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "refine/label_rows.h"
#include "refine/permutohedral.h"

namespace atrous {

/// A filter over a lattice that follows what it filters: it keeps the blurred values of the vertices and
/// passes only changes through the lattice. Cells of points (Permutohedral::kCell) read values() and leave
/// their changes, each its own, in given(); follow() takes these in. Runs on the caller's OpenMP team; the
/// result does not depend on its size.
class LatticeFilter {
 public:
  /// Of values between 0 and 1, at first all 0. normalised as in crf_params.h (an empty span is all ones),
  /// times `weight`. most_ones: the largest of the lattice's splat_ones().
  LatticeFilter(Permutohedral lattice, float most_ones, std::span<const float> before,
                std::span<const float> after, float weight, int labels);

  const Permutohedral& lattice() const { return lattice_; }

  /// The filter's value at a point is takes(cell)[i] times the sum over its shares of weight * values().
  const float* takes(std::int64_t cell) const { return takes_.data() + cell * Permutohedral::kCell; }
  const LabelRows& values() const { return values_; }
  /// The largest of a block's values at each vertex, or 0; not of the first block.
  const float* largest(int block) const { return largest_.data() + (block - 1) * lattice_.vertices(); }

  /// How far each vertex's values have moved, at most, since they were 0.
  const float* travels() const { return travels_.data(); }

  /// What a point whose value changes gives a vertex is its share's weight * takes(cell)[i] * gains(cell)[i]
  /// times the change. A row a slot of the lattice; a cell says of each of its slots which blocks count, a
  /// bit each, and of all of them together which any does. Where none does the slots need not say so.
  const float* gains(std::int64_t cell) const { return gains_.data() + cell * Permutohedral::kCell; }
  LabelRows& given() { return given_; }
  std::uint8_t* slot_blocks(std::int64_t cell) { return slot_blocks_.data() + lattice_.first_slot(cell); }
  std::uint8_t& cell_blocks(std::int64_t cell) { return cell_blocks_[static_cast<std::size_t>(cell)]; }

  /// Takes in what was given.
  void follow();

 private:
  void follow(int block);

  Permutohedral lattice_;
  LargeVector<float> takes_, gains_;  ///< of points
  LabelRows values_, given_;  ///< what was given makes room for the blurs, so there is a row more than slots
  LargeVector<std::uint16_t> change_;  ///< of vertices, of a block; and a 0 behind them
  LargeVector<float> largest_, travels_;
  std::vector<std::uint8_t> slot_blocks_, cell_blocks_;
};

}  // namespace atrous
