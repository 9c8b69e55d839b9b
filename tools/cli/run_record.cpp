// SPDX-License-Identifier: Apache-2.0
#include "cli/run_record.h"

#include <nlohmann/json.hpp>

#include "cli/digest.h"
#include "cli/version.h"
#include "core/files.h"

namespace atrous::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

Json describe_file(const fs::path& path) {
  const MappedFile file = map_file(path);
  return {{"path", path.string()}, {"bytes", file.size}, {"sha256", sha256({file.data.get(), file.size})}};
}

}  // namespace

void write_run_record(const fs::path& folder, const std::vector<std::string>& words, const Model& model,
                      const BatchSummary& summary, bool interrupted) {
  const ModelConfig& config = model.config();
  Json command = Json::array({"atrous"});
  for (const std::string& word : words) command.push_back(word);
  const Json record{{"command", command},
                    {"version", kVersion},
                    {"model",
                     {{"name", config.name},
                      {"config", describe_file(config.file)},
                      {"weights", describe_file(config.weights)}}},
                    {"device", to_string(model.device())},
                    {"backend", model.network()->backend().describe()},
                    {"totals",
                     {{"done", summary.done},
                      {"failed", summary.failed},
                      {"not_started", summary.left},
                      {"seconds", summary.seconds},
                      {"interrupted", interrupted}}}};
  const std::string text = record.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  write_file(folder / "run.json", std::as_bytes(std::span(text)));
}

}  // namespace atrous::cli
