// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cli/eval_report.h"
#include "cli/eval_source.h"
#include "config/labels.h"
#include "pipeline/metrics.h"

namespace atrous::cli {

/// Compares masks with labels, pair after pair, and keeps the figures of each stage and image.
class Evaluator {
 public:
  /// `table` maps the labels' raw ids to classes; empty where they are classes already.
  Evaluator(std::unique_ptr<EvalSource> source, LabelSet labels, std::vector<std::uint8_t> table);

  /// Throws Error naming the file; nothing is counted then.
  void add(const EvalPair& pair);

  std::vector<StageResult> results() const;
  const std::vector<ImageScores>& rows() const { return rows_; }
  const LabelSet& labels() const { return labels_; }
  std::size_t images() const { return images_; }

 private:
  struct Stage {
    std::string name;
    Evaluation evaluation;
    double milliseconds = 0;
  };

  void map_truth(LabelMap& truth, const std::string& name) const;
  void check(const LabelMap& mask, const LabelMap& truth, const EvalPair& pair) const;

  std::unique_ptr<EvalSource> source_;
  LabelSet labels_;
  std::vector<std::uint8_t> table_;
  std::vector<Stage> stages_;
  std::vector<ImageScores> rows_;
  std::size_t images_ = 0;
};

/// Numbered classes, as many as the masks and labels of the pairs show.
LabelSet guess_labels(const std::vector<EvalPair>& pairs);

}  // namespace atrous::cli
