// SPDX-License-Identifier: Apache-2.0
#include "cli/evaluator.h"

#include <algorithm>

#include "core/error.h"
#include "image/codec.h"

namespace atrous::cli {

Evaluator::Evaluator(std::unique_ptr<EvalSource> source, LabelSet labels, std::vector<std::uint8_t> table)
    : source_(std::move(source)), labels_(std::move(labels)), table_(std::move(table)) {
  for (const std::string& stage : source_->stages())
    stages_.push_back({stage, Evaluation(labels_.size()), 0});
}

void Evaluator::add(const EvalPair& pair) {
  LabelMap truth = load_mask(pair.label);
  map_truth(truth, pair.label.string());
  std::vector<StageMask> masks = source_->masks(pair);
  for (const StageMask& mask : masks) check(mask.mask, truth, pair);
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    stages_[s].evaluation.add(masks[s].mask, truth);
    stages_[s].milliseconds += masks[s].milliseconds;
    Evaluation alone(labels_.size());
    alone.add(masks[s].mask, truth);
    rows_.push_back({pair.stem, stages_[s].name, alone.metrics()});
  }
  ++images_;
}

std::vector<StageResult> Evaluator::results() const {
  std::vector<StageResult> results;
  for (const Stage& stage : stages_)
    results.push_back({stage.name, stage.evaluation.metrics(),
                       stage.milliseconds / static_cast<double>(std::max<std::size_t>(images_, 1))});
  return results;
}

void Evaluator::map_truth(LabelMap& truth, const std::string& name) const {
  for (std::uint8_t& id : truth.ids) {
    if (id == kIgnore) continue;
    if (!table_.empty() && id >= table_.size())
      fail(ErrorCode::bad_file, "{}: holds id {}, but --label-names has {} names", name, id, table_.size());
    if (!table_.empty()) id = table_[id];
    if (id != kIgnore && id >= labels_.size())
      fail(ErrorCode::bad_file, "{}: holds id {}, but there are {} classes{}", name, id, labels_.size(),
           table_.empty() ? " (raw ids need --label-names)" : "");
  }
}

void Evaluator::check(const LabelMap& mask, const LabelMap& truth, const EvalPair& pair) const {
  if (mask.width != truth.width || mask.height != truth.height)
    fail(ErrorCode::bad_file, "{}: this label is {}x{}, but {} is {}x{}", pair.label.string(), truth.width,
         truth.height, pair.prediction.string(), mask.width, mask.height);
  for (std::uint8_t id : mask.ids)
    if (id != kIgnore && id >= labels_.size())
      fail(ErrorCode::bad_file, "{}: holds id {}, but there are {} classes", pair.prediction.string(), id,
           labels_.size());
}

LabelSet guess_labels(const std::vector<EvalPair>& pairs) {
  int classes = 1;
  for (const EvalPair& pair : pairs)
    for (const auto& file : {pair.prediction, pair.label}) {
      try {
        for (std::uint8_t id : load_mask(file).ids)
          if (id != kIgnore) classes = std::max(classes, id + 1);
      } catch (const Error&) {
        continue;  // said when the pair's turn comes
      }
    }
  return numbered_labels(classes);
}

}  // namespace atrous::cli
