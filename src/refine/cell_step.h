// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "core/large_vector.h"
#include "refine/crf_params.h"
#include "refine/lattice_filter.h"

namespace atrous {

inline constexpr int kBlock = LabelRows::kBlock;
inline constexpr std::int64_t kCell = Permutohedral::kCell;

/// What a step reads and writes of all points, cell after cell.
struct MeanFieldStep {
  static constexpr int kBatch = 64;  ///< points that go through each part of a step together

  std::span<LatticeFilter> filters;
  const LabelRows& energy;
  LabelRows& q;
  const std::uint16_t* least;  ///< a block's smallest energy: blocks x whole cells, half precision
  std::uint32_t* live;         ///< the blocks, a bit each, that a point needed when it was last computed
  float* alarms;               ///< how far a point's messages travel before it is computed again
  const CrfParams& params;
  std::int64_t points;
  int labels;
  float reach;       ///< how far K q moves at least where a score moves by 1
  bool first, last;  ///< of the steps: there are no messages yet; nobody will ask the filters
};

/// What a thread works in.
struct CellScratch {
  CellScratch(std::int64_t vertices, int labels)
      : values(static_cast<std::size_t>(vertices * LabelRows::blocks_of(labels) * kBlock)),
        sums(values.size()),
        vertex_travels(static_cast<std::size_t>(vertices)),
        travels(kCell),
        fresh(static_cast<std::size_t>(LabelRows::blocks_of(labels) * MeanFieldStep::kBatch * kBlock)) {}

  LargeVector<float> values, sums;             ///< of the cell's vertices in all filters, as in LabelRows
  LargeVector<float> vertex_travels, travels;  ///< of a term's vertices in the cell, and of the cell's points
  LargeVector<float> fresh;  ///< scores, then probabilities of a batch of points, as in LabelRows
};

}  // namespace atrous
