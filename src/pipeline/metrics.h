// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "core/image.h"

namespace atrous {

/// Pixels by truth and prediction over a whole set, and along boundaries. 255 in the truth is left out; 255
/// in a prediction counts as wrong.
class Confusion {
 public:
  explicit Confusion(int classes);

  /// Throws Error{invalid_argument} where the sizes differ or an id is neither a class nor 255.
  void add(const LabelMap& truth, const LabelMap& prediction);
  void add(const Confusion& other);

  int classes() const { return classes_; }
  std::int64_t count(int truth, int prediction) const {
    return counts_[static_cast<std::size_t>(truth * (classes_ + 1) + prediction)];
  }
  std::int64_t boundary_intersection(int c) const {
    return boundary_intersection_[static_cast<std::size_t>(c)];
  }
  std::int64_t boundary_union(int c) const { return boundary_union_[static_cast<std::size_t>(c)]; }

 private:
  int classes_;
  std::vector<std::int64_t> counts_;  ///< [truth][prediction], the last prediction being "none"
  std::vector<std::int64_t> boundary_intersection_, boundary_union_;
};

struct ClassScores {
  double iou, f1, precision, recall;  ///< nan where the class is in neither truth nor prediction
};

/// Set-wide scores; means are over the classes that occur (ATR's protocol for precision, recall and F1,
/// background included). Fractions, not percent.
struct Scores {
  double mean_iou, pixel_accuracy, mean_accuracy, foreground_accuracy;
  double mean_precision, mean_recall, mean_f1;
  double foreground_iou;  ///< everything but class 0 against class 0
  double boundary_iou;    ///< mean over classes (Cheng et al. 2021), within 2 % of the diagonal of a boundary
  std::vector<ClassScores> classes;
};

Scores score(const Confusion& confusion);

}  // namespace atrous
