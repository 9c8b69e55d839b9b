// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/eval_pairs.h"
#include "pipeline/segmenter.h"

namespace atrous::cli {

/// A stage's mask of one photo, with the milliseconds the stage took.
struct StageMask {
  LabelMap mask;
  double milliseconds = 0;
};

/// Where the masks that `eval` judges come from.
class EvalSource {
 public:
  virtual ~EvalSource() = default;
  virtual std::vector<std::string> stages() const = 0;
  /// One mask a stage. Throws Error naming the file.
  virtual std::vector<StageMask> masks(const EvalPair& pair) = 0;
};

/// Finished masks: PNG files.
std::unique_ptr<EvalSource> make_mask_source();
/// A model's labels, refined as the options say.
std::unique_ptr<EvalSource> make_model_source(std::shared_ptr<const Model> model,
                                              const SegmentOptions& options);
/// The network's own labels, then the CRF's, then those smoothed over superpixels.
std::unique_ptr<EvalSource> make_compare_source(std::shared_ptr<const Model> model,
                                                const SegmentOptions& options);

}  // namespace atrous::cli
