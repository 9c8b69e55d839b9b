// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "core/image.h"
#include "core/large_vector.h"
#include "refine/crf_params.h"
#include "refine/lattice_filter.h"

namespace atrous {

inline constexpr std::int64_t kCell = Permutohedral::kCell;

/// The points' energies, where the caller has them: a row of labels for each pixel. Whole blocks can be read
/// of it: behind a row's last label are other pixels', and rows too near the end of the map are in `tail`.
class Energies {
 public:
  Energies(const ScoreMap& map, const std::int32_t* order)
      : rows_(map.values.data()), order_(order), labels_(map.classes) {
    const std::int64_t read = LabelRows::padded(labels_);
    const std::int64_t whole = std::max<std::int64_t>(std::ssize(map.values) - read + labels_, 0) / labels_;
    whole_ = whole * labels_;
    tail_.resize(static_cast<std::size_t>(2 * read));
    std::copy(map.values.begin() + whole_, map.values.end(), tail_.begin());
  }

  const float* row(std::int64_t point) const {
    const std::int64_t at = std::int64_t{order_[point]} * labels_;
    return at < whole_ ? rows_ + at : tail_.data() + (at - whole_);
  }

 private:
  const float* rows_;
  const std::int32_t* order_;  ///< the points' pixels
  std::int64_t labels_, whole_;
  std::vector<float> tail_;
};

/// What a step reads and writes of all points, cell after cell.
struct MeanFieldStep {
  /// Points that go through each part of a step together: what a part decides, of many points, is known
  /// before the next branches on it.
  static constexpr int kBatch = 64;

  std::span<LatticeFilter> filters;
  const Energies& energies;
  const float* least;  ///< each block's smallest energy, but not of the first: blocks - 1 x whole cells
  LabelRows& q;
  std::uint32_t* live;  ///< the blocks, a bit each, that a point needed when it was last computed
  float* alarms;        ///< how far a point's messages travel before it is computed again
  const CrfParams& params;
  std::int64_t points;
  int labels;
  float reach;       ///< how far K q moves at least where a score moves by 1
  bool first, last;  ///< of the steps: there are no messages yet; nobody will ask the filters
};

/// What a thread works in.
struct CellScratch {
  CellScratch(std::int64_t vertices, int labels)
      : values(static_cast<std::size_t>(vertices * LabelRows::padded(labels))),
        sums(values.size()),
        vertex_travels(static_cast<std::size_t>(vertices)),
        travels(kCell),
        sliced(kCell),
        fresh(static_cast<std::size_t>(MeanFieldStep::kBatch * LabelRows::padded(labels))) {}

  LargeVector<float> values, sums;     ///< of the cell's vertices in all filters, as in LabelRows
  LargeVector<float> vertex_travels;   ///< of a term's vertices in the cell
  LargeVector<float> travels, sliced;  ///< of the cell's points, of all terms and of one
  LargeVector<float> fresh;  ///< scores, then probabilities of a batch of points: points x blocks x width
};

}  // namespace atrous
