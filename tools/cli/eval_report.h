// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "config/labels.h"
#include "pipeline/metrics.h"

namespace atrous::cli {

/// What `eval` measured for one stage: the masks, or the network, +crf, +superpixels.
struct StageResult {
  std::string name;
  Metrics metrics;
  double milliseconds = 0;  ///< a photo, of this stage alone
};

/// A line of `--csv`.
struct ImageScores {
  std::string stem, stage;
  Metrics metrics;
};

void print_evaluation(const std::vector<StageResult>& stages, const LabelSet& labels, std::size_t images,
                      bool with_times);
void print_evaluation_json(const std::vector<StageResult>& stages, const LabelSet& labels, std::size_t images,
                           std::size_t failed);
/// Throws Error{io}.
void write_csv(const std::string& file, const std::vector<ImageScores>& rows);

}  // namespace atrous::cli
