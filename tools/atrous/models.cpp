// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>

#include "commands.h"
#include "config/model_config.h"
#include "config/model_path.h"
#include "core/error.h"
#include "messages.h"

namespace atrous::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct ModelsArguments {
  bool available = false, json = false;
};

Json describe_origin(const WeightsOrigin& origin) {
  Json result = Json::object();
  if (!origin.none.empty()) {
    result["none"] = origin.none;
    return result;
  }
  result["file"] = origin.file, result["publisher"] = origin.publisher;
  result["url"] = origin.url.empty() ? Json() : Json(origin.url);
  result["import"] = origin.import;
  return result;
}

Json describe_model(const fs::path& file) {
  const ModelConfig config = load_model_config(file, search_folders());
  Json accuracy = Json::object(), files = Json::array();
  for (const auto& [name, value] : config.accuracy) accuracy[name] = value;
  Json line{{"name", config.name},          {"task", config.task},
            {"labels", config.labels.name}, {"classes", config.labels.size()},
            {"accuracy", accuracy},         {"config", file.string()}};
  std::uintmax_t bytes = 0;
  for (const WeightsFile& part : config.weights) {
    std::error_code gone;  // since it was looked for
    if (!part.path.empty()) bytes += fs::file_size(part.path, gone);
    files.push_back(part.path.empty() ? part.name : part.path.string());
  }
  line["available"] = config.has_weights();
  line["weights"] = files;
  line["weights_bytes"] = config.has_weights() ? Json(bytes) : Json();
  line["weights_from"] = config.weights_from ? describe_origin(*config.weights_from) : Json();
  return line;
}

void print_summary(const Json& line, std::size_t name_width) {
  const std::string weights = line["weights_bytes"].is_null()
                                  ? "weights not here"
                                  : fmt::format("{:.1f} MB", line["weights_bytes"].get<double>() / 1e6);
  std::string accuracy;
  for (const auto& [name, value] : line["accuracy"].items())
    accuracy += fmt::format("  {} {:.3f}", name, value.get<double>());
  std::cout << fmt::format("{:{}} {:24} {:>3} classes ({})  {}{}\n", line["name"].get<std::string>(),
                           name_width, line["task"].get<std::string>(), line["classes"].get<int>(),
                           line["labels"].get<std::string>(), weights, accuracy);
}

/// Whether a model's weights are here and, where not, what to get and how to import it.
void print_availability(const Json& line) {
  const bool available = line["available"].get<bool>();
  std::cout << fmt::format("{}: weights {}\n", line["name"].get<std::string>(),
                           available ? "here" : "not here");
  auto print = [](std::string_view what, const std::string& text) {
    std::cout << fmt::format("    {:8}{}\n", what, text);
  };
  if (available) {
    for (const Json& file : line["weights"]) print("file", file.get<std::string>());
    return;
  }
  const Json& origin = line["weights_from"];
  if (origin.is_null()) return print("none", "its config does not say where to get them");
  if (origin.contains("none")) return print("none", origin["none"].get<std::string>());
  print("get", origin["file"].get<std::string>());
  print("of", origin["publisher"].get<std::string>());
  if (!origin["url"].is_null()) print("at", origin["url"].get<std::string>());
  print("import", origin["import"].get<std::string>());
}

/// The folders in which the imports of models that are not here run: they hold `configs`, `tools` and
/// `models`.
std::set<std::string> import_folders(const Json& models) {
  std::set<std::string> folders;
  for (const Json& line : models)
    if (!line["available"].get<bool>() && line["weights_from"].contains("import"))
      folders.insert(
          (fs::path(line["config"].get<std::string>()).parent_path() / "../..").lexically_normal());
  return folders;
}

int models(const ModelsArguments& arguments) {
  int status = kDone;
  Json all = Json::array();
  for (const fs::path& file : list_models()) {
    try {
      all.push_back(describe_model(file));
    } catch (const Error& error) {
      say(error.message());
      status = kSomeFailed;
    }
  }
  if (arguments.json) {
    std::cout << all.dump(2) << "\n";
    return status;
  }
  std::size_t name_width = 0;
  for (const Json& line : all) name_width = std::max(name_width, line["name"].get<std::string>().size());
  for (const Json& line : all)
    arguments.available ? print_availability(line) : print_summary(line, name_width);
  if (arguments.available)
    for (const std::string& folder : import_folders(all))
      std::cout << "Imports run in " << folder << ", where the file to get lies too.\n";
  return status;
}

}  // namespace

void add_models(CLI::App& app, Run& run) {
  auto arguments = std::make_shared<ModelsArguments>();
  CLI::App* command = app.add_subcommand("models", "the models found");
  command->add_flag("--available", arguments->available,
                    "whether each one's weights are here and, where not, what to get and how to import it");
  command->add_flag("--json", arguments->json, "as JSON, with all of that");
  command->callback([arguments, &run] { run = [arguments] { return models(*arguments); }; });
}

}  // namespace atrous::cli
