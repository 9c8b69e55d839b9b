// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "cli/arguments.h"
#include "pipeline/segmenter.h"

namespace atrous::cli {

/// Opens a model for inference and says on standard error which device it runs on.
std::shared_ptr<const Model> open_model(const std::string& name, const DeviceArguments& device, bool quiet);

struct InspectedModel {
  std::shared_ptr<const Model> model;
  bool random_weights =
      false;  ///< the weights file is not here: shapes, costs and times are real, labels are not
};
/// Opens a model to look at or to time: without its weights file with random weights.
InspectedModel open_for_inspection(const std::string& name, const DeviceArguments& device);

/// "cpu (oneDNN 2.6.3, AVX-512, 2 threads)"
std::string describe_device(const Model& model);

/// The network input to inspect or time with: the config's nominal one, or `size` ("" for none) and a batch.
Shape chosen_input(const ModelConfig& config, const std::string& size, int batch);

}  // namespace atrous::cli
