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
  if (outcome.frame) {
    line[LineKeys::kVideo] = outcome.stem.parent_path().string();
    line["frame"] = *outcome.frame;
  }
  if (outcome.video) {
    line["frames"] = outcome.video->frames;
    line["frames_per_second"] = rounded(outcome.video->frames_per_second);
    if (!outcome.video->note.empty()) line["note"] = outcome.video->note;
  }
  if (outcome.frame || outcome.video)
    line["tiles"] = outcome.tiles.all, line["tiles_reused"] = outcome.tiles.reused;
  if (detect && outcome.error.empty()) line["people"] = outcome.crops.size();
  for (const Crop& crop : outcome.crops) line["boxes"].push_back({crop.x, crop.y, crop.width, crop.height});
  for (const Stage& stage : kStages)
    if (!outcome.video) line["ms"][stage.name] = rounded(outcome.times.*stage.ms);
  if (!outcome.video) line["pixels"] = pixels;
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
  std::string text = outcome.file.string() + (outcome.frame ? fmt::format(" {}:", *outcome.frame) : ":");
  for (std::size_t i = 0; i < found.size(); ++i)
    text += fmt::format("{} {} {:.1f}%", i == 0 ? "" : ",", labels.classes[found[i].second].name,
                        -100.0 * static_cast<double>(found[i].first) / static_cast<double>(total));
  return found.empty() ? text + " only " + labels.classes[0].name : text;
}

std::string summarise_video(const ImageOutcome& outcome) {
  const VideoOutcome& video = *outcome.video;
  return fmt::format("{}: {} frames, {:.2f} frames/s, {:.0f} % of tiles reused", outcome.file.string(),
                     video.frames, video.frames_per_second,
                     outcome.tiles.all > 0 ? 100.0 * static_cast<double>(outcome.tiles.reused) /
                                                 static_cast<double>(outcome.tiles.all)
                                           : 0.0);
}

std::string dump(const Json& line) { return line.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace atrous::cli
