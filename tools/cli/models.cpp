// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/terminal.h"
#include "config/model_config.h"
#include "config/model_path.h"
#include "core/error.h"

namespace atrous::cli {
namespace {

namespace fs = std::filesystem;

/// "513x513, stretch" or "native".
std::string size_text(const InputSpec& input) {
  switch (input.policy) {
    case SizePolicy::native:
      return "native";
    case SizePolicy::stretch:
      return fmt::format("{}x{}", input.height, input.width);
    case SizePolicy::fit:
      return fmt::format("fit {}x{}", input.height, input.width);
    case SizePolicy::short_side:
      return fmt::format("short side {}", input.height);
    case SizePolicy::long_side:
      return fmt::format("long side {}", input.height);
  }
  return {};
}

std::string accuracy_text(const ModelConfig& config) {
  std::string text;
  for (const auto& [name, value] : config.accuracy)
    text += fmt::format("{}{} {:.3g}", text.empty() ? "" : ", ", name, value);
  return text.empty() ? "-" : text;
}

nlohmann::ordered_json to_json(const ModelConfig& config, std::uintmax_t bytes) {
  nlohmann::ordered_json accuracy = nlohmann::ordered_json::object();
  for (const auto& [name, value] : config.accuracy) accuracy[name] = value;
  return {{"name", config.name},
          {"default", config.file.stem() == kDefaultModel},
          {"task", config.task},
          {"description", config.description},
          {"config", config.file.string()},
          {"weights", config.weights.string()},
          {"weights_bytes", bytes},
          {"classes", config.labels.size()},
          {"input", size_text(config.input)},
          {"accuracy", accuracy}};
}

int run(bool json) {
  std::vector<std::vector<std::string>> rows{
      {"model", "task", "labels", "input", "weights", "measured accuracy"}};
  int broken = 0;
  for (const fs::path& file : list_models()) {
    try {
      const ModelConfig config = load_model_config(file, search_folders());
      std::error_code status;
      const std::uintmax_t bytes = config.weights.empty() ? 0 : fs::file_size(config.weights, status);
      if (json) fmt::print("{}\n", to_json(config, bytes).dump());
      rows.push_back({config.name + (file.stem() == kDefaultModel ? " (default)" : ""), config.task,
                      fmt::format("{} ({})", config.labels.size(), config.labels.name),
                      size_text(config.input),
                      config.weights.empty() ? "not here" : short_number(static_cast<double>(bytes), "B"),
                      accuracy_text(config)});
    } catch (const Error& error) {
      ++broken;
      say(error.message());
    }
  }
  if (rows.size() == 1 && broken == 0)
    fail(ErrorCode::not_found,
         "no models found (ATROUS_MODEL_PATH names folders that hold configs/ and models/)");
  if (!json) fmt::print("{}", format_table(rows));
  return broken > 0 ? kSomeFailed : kDone;
}

}  // namespace

Command make_models() {
  auto app = make_parser("models", "The models found, with task, labels, input size and measured accuracy");
  auto json = std::make_shared<bool>(false);
  app->add_flag("--json", *json, "a JSON line a model");
  return {app, [json](const auto&) { return run(*json); }};
}

}  // namespace atrous::cli
