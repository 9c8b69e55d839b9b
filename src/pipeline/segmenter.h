// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/model_config.h"
#include "core/image.h"
#include "graph/executor.h"
#include "refine/crf_params.h"

namespace atrous {

struct ModelOptions {
  std::string device = "auto";     ///< auto | cpu | cuda | cuda:N
  std::string precision = "auto";  ///< auto | fp32 | fp16 | bf16 | int8; what the device cannot do is Error{unsupported}
  bool random_weights = false;     ///< for bench and inspect: a config without its weights file
};

/// A model ready to run: config, graph, device and packed weights. Immutable; share it between threads.
class Model {
 public:
  /// `name_or_path`: a name on the model path (config/model_path.h), a path to a YAML, or "" for the embedded model.
  static std::shared_ptr<const Model> open(std::string_view name_or_path, const ModelOptions& options = {});

  const ModelConfig& config() const { return config_; }
  const LabelSet& labels() const { return config_.labels; }
  std::shared_ptr<const Network> network() const { return network_; }
  Device device() const { return network_->backend().device(); }

 private:
  Model(ModelConfig config, std::shared_ptr<const Network> network);
  ModelConfig config_;
  std::shared_ptr<const Network> network_;
};

struct SegmentOptions {
  int threads = 0;                             ///< 0: the backend's default
  std::vector<double> scales{1.0};             ///< multi-scale inference, relative to the config's input size
  bool flip = false;                           ///< and mirrored; left and right classes swap back
  std::optional<std::string> crf;              ///< nullopt: as the config says; "off"; else parse_crf's language ("" = its default preset)
  std::optional<int> superpixels;              ///< nullopt: as the config says; 0 = off
  bool want_probabilities = false;             ///< fill SegmentResult::probabilities
};

/// Milliseconds spent on one photo.
struct StageTimes {
  double preprocess = 0, network = 0, upsample = 0, crf = 0, superpixels = 0;
};

struct SegmentResult {
  LabelMap labels;         ///< the photo's size
  ScoreMap probabilities;  ///< [height, width, classes], sums to 1; empty unless wanted
  StageTimes times;
};

/// Photos to label maps with one model: preprocess -> network (each scale, mirrored) -> fuse -> upsample -> CRF -> superpixels
/// -> argmax. One thread at a time; make one a worker, they share the model's weights. Results do not depend on threads.
class Segmenter {
 public:
  /// Throws Error{invalid_argument} for options that make no sense.
  Segmenter(std::shared_ptr<const Model> model, const SegmentOptions& options = {});

  SegmentResult run(const ImageView& image);
  /// Photos whose network inputs have the same extent go through the network together; same bytes as one by one.
  std::vector<SegmentResult> run(std::span<const ImageView> images);

  const Model& model() const { return *model_; }

 private:
  std::shared_ptr<const Model> model_;
  SegmentOptions options_;
  Executor executor_;
  std::optional<CrfParams> crf_;
  int superpixels_ = 0;
};

}  // namespace atrous
