// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "core/image.h"
#include "refine/cell_step.h"
#include "refine/crf_params.h"
#include "refine/lattice_filter.h"

namespace atrous {

/// Mean field of a CRF's points, in changes and in blocks of labels (label_rows.h). Where a block's
/// probabilities would change by up to CrfParams::stop they stay as they are and tell the filters nothing.
/// Where there are several blocks and all labels repel each other alike (no `compatibility`), a point leaves
/// out a block whose messages, which cannot be larger than those of its cell's vertices, cannot make it
/// probable (CrfParams::prune); labels are sorted so that the first block has the most probable ones.
class MeanField {
 public:
  /// Of the pixels order[0], order[1], ..., which are the filters' points, with the energies `unary`, kept by
  /// reference, as are `params`. Where blocks can be left out, a pixel's energies change places.
  MeanField(ScoreMap& unary, LargeVector<std::int32_t> order, std::vector<LatticeFilter> filters,
            const CrfParams& params);

  /// update() once, for q = softmax(-energy); then for each step filter() and update():
  ///   q = softmax(-energy + M),  M_a = sum_m (K_m q)_a, or with `compatibility` mu -sum_b mu(a, b) (K_m
  ///   q)_b.
  /// The `last` update tells the filters nothing.
  void filter();
  void update(bool last);

  /// The probabilities take the energies' places.
  void finish();

 private:
  LargeVector<std::int32_t> order_;
  std::vector<LatticeFilter> filters_;
  const CrfParams& params_;
  ScoreMap& map_;
  std::vector<std::int32_t> labels_;  ///< in the rows' order, where they are not in their own
  LargeVector<float> least_;          ///< of each block but the first, the smallest energy of each point
  LabelRows q_;
  LargeVector<std::uint32_t> live_;  ///< a point: the blocks, a bit each, that it needed at the last step
  LargeVector<float> alarms_;        ///< a point: how far its messages travel before it is computed again
  std::int64_t most_vertices_ = 0;   ///< of a cell, in all filters
  bool first_ = true;
};

}  // namespace atrous
