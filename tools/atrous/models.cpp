// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "config/model_config.h"
#include "config/model_path.h"
#include "core/error.h"
#include "messages.h"

namespace atrous::cli {
namespace {

using Json = nlohmann::ordered_json;

Json describe(const std::filesystem::path& file) {
  const ModelConfig config = load_model_config(file, search_folders());
  Json accuracy = Json::object();
  for (const auto& [name, value] : config.accuracy) accuracy[name] = value;
  Json line{{"name", config.name},          {"task", config.task},
            {"labels", config.labels.name}, {"classes", config.labels.size()},
            {"accuracy", accuracy},         {"config", file.string()}};
  std::uintmax_t bytes = 0;
  for (const WeightsFile& part : config.weights)
    if (!part.path.empty()) bytes += std::filesystem::file_size(part.path);
  line["weights_bytes"] = config.has_weights() ? Json(bytes) : Json();
  return line;
}

int models(bool json) {
  int status = kDone;
  Json all = Json::array();
  for (const std::filesystem::path& file : list_models()) {
    try {
      all.push_back(describe(file));
    } catch (const Error& error) {
      say(error.message());
      status = kSomeFailed;
    }
  }
  if (json) {
    std::cout << all.dump(2) << "\n";
    return status;
  }
  for (const Json& line : all) {
    const std::string weights = line["weights_bytes"].is_null()
                                    ? "weights not here"
                                    : fmt::format("{:.1f} MB", line["weights_bytes"].get<double>() / 1e6);
    std::string accuracy;
    for (const auto& [name, value] : line["accuracy"].items())
      accuracy += fmt::format("  {} {:.3f}", name, value.get<double>());
    std::cout << fmt::format("{:24} {:24} {:>3} classes ({})  {}{}\n", line["name"].get<std::string>(),
                             line["task"].get<std::string>(), line["classes"].get<int>(),
                             line["labels"].get<std::string>(), weights, accuracy);
  }
  return status;
}

}  // namespace

void add_models(CLI::App& app, Run& run) {
  auto json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("models", "the models found");
  command->add_flag("--json", *json, "as JSON");
  command->callback([json, &run] { run = [json] { return models(*json); }; });
}

}  // namespace atrous::cli
