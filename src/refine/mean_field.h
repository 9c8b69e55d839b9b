// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "core/image.h"
#include "refine/crf_params.h"
#include "refine/lattice_filter.h"

namespace atrous {

/// The energies of the pixels order[0], order[1], ... in half precision, each less the pixel's smallest, so
/// that those that matter are near 0 and exact to a thousandth; padded with infinity.
LabelRows energy_rows(const ScoreMap& unary, std::span<const std::int32_t> order);

/// When a point has to be computed again.
struct Alarm {
  float travel = 0;  ///< not before its messages have travelled so far (LatticeFilter::travel())
  float clock = 0;   ///< which they have not before its cell's clock shows this
};

/// Mean field of a CRF's points, in changes: after a few iterations most points have made up their minds, and
/// neither they nor what only they reach is computed again. A probability that would change by up to
/// CrfParams::stop stays as it is. Where all labels repel each other alike (no `compatibility`), a label that
/// is nowhere probable (CrfParams::prune) can only get less so, as the messages of others are larger; it is
/// left out once leaving it out saves vectors.
class MeanField {
 public:
  /// q = softmax(-energy). `params` are kept by reference.
  MeanField(LabelRows energy, std::int64_t points, int classes, const CrfParams& params);

  /// A step: filter(), then update(), both with all the filters m, the same at every step:
  ///   q = softmax(-energy + M),  M_a = sum_m (K_m q)_a, or with `compatibility` mu -sum_b mu(a, b) (K_m
  ///   q)_b.
  void filter(std::span<LatticeFilter> filters);
  void update(std::span<LatticeFilter> filters);

  /// The probabilities of the pixels order[0], order[1], ... as a map.
  ScoreMap to_map(std::span<const std::int32_t> order, int width, int height) const;

 private:
  void recompute(std::span<LatticeFilter> filters);
  void narrow(std::span<LatticeFilter> filters);

  static constexpr int kNarrowingSteps = 3;  ///< after which labels that are still probable stay so

  LabelRows energy_;
  std::int64_t points_;
  int classes_;
  std::vector<int> labels_;  ///< that are still computed; the probability of all others is 0
  const CrfParams& params_;
  ChangingRows q_;
  int steps_ = 0;
  std::vector<Alarm> alarms_;  ///< of the points
  std::vector<float> clocks_;  ///< a cell of points: the sum of LatticeFilter::stir()
};

}  // namespace atrous
