// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/model_config.h"
#include "graph/executor.h"

namespace atrous {

struct ModelOptions {
  std::string device = "auto";  ///< auto | cpu | cuda | cuda:N
  std::string precision =
      "auto";  ///< auto | fp32 | tf32 | fp16 | bf16 | int8; what the device cannot do is Error{unsupported}
  bool tune = true;  ///< on a GPU: implementations chosen by measuring, remembered in the user's cache
  std::optional<int> output_stride;  ///< 8, 16 or 32 in place of the config's
  bool random_weights = false;       ///< where the weights file is missing (bench, inspect)
  bool separate_nodes = false;       ///< each node of the config a step with a value of its own
  /// Full paths of nodes whose values are kept: Executor::output(1 + i) is that of outputs[i]. What there is
  /// stands in ModelConfig::nodes.
  std::vector<std::string> outputs;
};

/// A model ready to run: config, graph, device and packed weights. Immutable; share it between threads.
class Model {
 public:
  /// `name_or_path`: a name on the model path (config/model_path.h), a path to a YAML or to an ONNX file, or
  /// "" for the embedded model. Device "auto" takes the first GPU that works and has the memory, else the
  /// CPU; device_note() then says why.
  static std::shared_ptr<const Model> open(std::string_view name_or_path, const ModelOptions& options = {});
  /// Same, once a GPU where the device is "cuda", or "auto" finds any, at most `most` times: for batches of
  /// images. GPUs that lack the memory are left out.
  static std::vector<std::shared_ptr<const Model>> open_on(int most, std::string_view name_or_path,
                                                           const ModelOptions& options = {});

  const ModelConfig& config() const { return config_; }
  const LabelSet& labels() const { return config_.labels; }
  std::shared_ptr<const Network> network() const { return network_; }
  const Backend& backend() const { return network_->backend(); }
  const std::string& device_note() const { return device_note_; }  ///< "" unless "auto" passed GPUs by
  bool has_random_weights() const { return random_weights_; }
  const std::string& digest() const { return digest_; }  ///< see model_digest.h
  /// Learned numbers: all tensors but the running statistics of batch norms.
  std::int64_t parameters() const { return parameters_; }
  /// Where the network has a template_morph: the output that is its coefficients; the next one is its boxes.
  int template_output() const { return template_output_; }

 private:
  Model(ModelConfig config, const WeightSource& weights, const ModelOptions& options, Device device,
        std::string device_note);
  ModelConfig config_;
  std::string device_note_, digest_;
  std::shared_ptr<const Network> network_;
  bool random_weights_ = false;
  std::int64_t parameters_ = 0;
  int template_output_ = 1;
};

}  // namespace atrous
