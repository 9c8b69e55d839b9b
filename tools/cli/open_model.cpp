// SPDX-License-Identifier: Apache-2.0
#include "cli/open_model.h"

#include <fmt/format.h>

#include "cli/terminal.h"
#include "config/model_path.h"
#include "graph/builder.h"

namespace atrous::cli {

std::shared_ptr<const Model> open_model(const std::string& name, const DeviceArguments& device, bool quiet) {
  std::shared_ptr<const Model> model = Model::open(name, {device.device, device.precision});
  if (!quiet) say(fmt::format("{} on {}", model->config().name, describe_device(*model)));
  return model;
}

InspectedModel open_for_inspection(const std::string& name, const DeviceArguments& device) {
  const ModelConfig config = load_model_config(find_model(name), search_folders());
  const bool random = config.weights.empty();
  if (random) {
    const std::string reason = config.weights_name.empty()
                                   ? "its config names no weights"
                                   : "its weights '" + config.weights_name + "' are not here";
    say(fmt::format("{}: {}; random weights stand in", config.name, reason));
  }
  return {Model::open(name, {device.device, device.precision, random}), random};
}

std::string describe_device(const Model& model) {
  return fmt::format("{} ({})", to_string(model.device()), model.network()->backend().describe());
}

Shape chosen_input(const ModelConfig& config, const std::string& size, int batch) {
  Shape input = nominal_input(config.input);
  if (!size.empty()) {
    const Size chosen = parse_size(size);
    input.h = chosen.height;
    input.w = chosen.width;
  }
  input.n = batch;
  return input;
}

}  // namespace atrous::cli
