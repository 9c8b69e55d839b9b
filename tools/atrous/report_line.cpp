// SPDX-License-Identifier: Apache-2.0
#include "report_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "pipeline/resume.h"

namespace atrous::cli {

using Json = nlohmann::ordered_json;

Json describe(const ImageOutcome& outcome, const LabelSet& labels, bool detect) {
  auto rounded = [](double ms) { return std::round(ms * 100) / 100; };
  Json pixels = Json::object();
  for (std::size_t id = 0; id < labels.classes.size() && !outcome.pixels.empty(); ++id)
    if (outcome.pixels[id] > 0) pixels[labels.classes[id].name] = outcome.pixels[id];
  Json line{{"file", outcome.file.string()},
            {LineKeys::kName, outcome.stem.string()},
            {"status", outcome.error.empty() ? "ok" : "failed"},
            {"width", outcome.width},
            {"height", outcome.height}};
  if (detect && outcome.error.empty()) line["people"] = outcome.crops.size();
  for (const Crop& crop : outcome.crops) line["boxes"].push_back({crop.x, crop.y, crop.width, crop.height});
  for (const Stage& stage : kStages) line["ms"][stage.name] = rounded(outcome.times.*stage.ms);
  line["pixels"] = pixels;
  if (!outcome.error.empty()) line["error"] = outcome.error;
  if (!outcome.source.empty()) line[LineKeys::kSource] = outcome.source;
  if (!outcome.outputs.empty()) line[LineKeys::kOutputs] = outcome.outputs;
  return line;
}

std::string summarise(const ImageOutcome& outcome, const LabelSet& labels) {
  std::vector<std::pair<std::int64_t, std::size_t>> found;
  std::int64_t total = 0;
  for (std::size_t id = 0; id < outcome.pixels.size(); ++id) {
    total += outcome.pixels[id];
    if (id > 0 && id < labels.classes.size() && outcome.pixels[id] > 0)
      found.emplace_back(-outcome.pixels[id], id);
  }
  std::sort(found.begin(), found.end());
  std::string text = outcome.file.string() + ":";
  for (std::size_t i = 0; i < found.size(); ++i)
    text += fmt::format("{} {} {:.1f}%", i == 0 ? "" : ",", labels.classes[found[i].second].name,
                        -100.0 * static_cast<double>(found[i].first) / static_cast<double>(total));
  return found.empty() ? text + " only " + labels.classes[0].name : text;
}

std::string dump(const Json& line) { return line.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace atrous::cli
