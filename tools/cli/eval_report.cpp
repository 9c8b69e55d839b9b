// SPDX-License-Identifier: Apache-2.0
#include "cli/eval_report.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/terminal.h"
#include "core/files.h"

namespace atrous::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Figure {
  std::string_view key, title;
  double Metrics::*value;
};

constexpr std::array<Figure, 9> kFigures{{{"miou", "mIoU", &Metrics::miou},
                                          {"pixel_accuracy", "pixel acc.", &Metrics::pixel_accuracy},
                                          {"mean_accuracy", "mean acc.", &Metrics::mean_accuracy},
                                          {"foreground_accuracy", "fg acc.", &Metrics::foreground_accuracy},
                                          {"precision", "precision", &Metrics::precision},
                                          {"recall", "recall", &Metrics::recall},
                                          {"f1", "F1", &Metrics::f1},
                                          {"foreground_iou", "fg IoU", &Metrics::foreground_iou},
                                          {"boundary_iou", "boundary IoU", &Metrics::boundary_iou}}};

std::string number_text(double value) { return std::isnan(value) ? "nan" : fmt::format("{:.4f}", value); }

/// JSON has no NaN: an absent class is null.
Json number_json(double value) { return std::isnan(value) ? Json() : Json(value); }

}  // namespace

void print_evaluation(const std::vector<StageResult>& stages, const LabelSet& labels, std::size_t images,
                      bool with_times) {
  std::vector<std::vector<std::string>> rows{
      {"class", "IoU", "accuracy", "precision", "recall", "F1", "pixels"}};
  const StageResult& last = stages.back();
  for (std::size_t id = 0; id < last.metrics.classes.size(); ++id) {
    const ClassMetrics& c = last.metrics.classes[id];
    rows.push_back({labels.classes[id].name, number_text(c.iou), number_text(c.accuracy),
                    number_text(c.precision), number_text(c.recall), number_text(c.f1),
                    fmt::format("{}", c.pixels)});
  }
  fmt::print("{} images, {}\n\n{}\n", images, last.name, format_table(rows));
  rows = {{"stage"}};
  for (const Figure& figure : kFigures) rows[0].emplace_back(figure.title);
  if (with_times) rows[0].emplace_back("ms/image");
  for (const StageResult& stage : stages) {
    rows.push_back({stage.name});
    for (const Figure& figure : kFigures) rows.back().push_back(number_text(stage.metrics.*figure.value));
    if (with_times) rows.back().push_back(fmt::format("{:.1f}", stage.milliseconds));
  }
  fmt::print("{}", format_table(rows));
}

void print_evaluation_json(const std::vector<StageResult>& stages, const LabelSet& labels, std::size_t images,
                           std::size_t failed) {
  Json document{{"images", images}, {"failed", failed}, {"stages", Json::array()}};
  for (const StageResult& stage : stages) {
    Json entry{{"stage", stage.name}, {"ms_per_image", stage.milliseconds}};
    for (const Figure& figure : kFigures)
      entry[std::string(figure.key)] = number_json(stage.metrics.*figure.value);
    entry["classes"] = Json::array();
    for (std::size_t id = 0; id < stage.metrics.classes.size(); ++id) {
      const ClassMetrics& c = stage.metrics.classes[id];
      entry["classes"].push_back({{"id", id},
                                  {"name", labels.classes[id].name},
                                  {"iou", number_json(c.iou)},
                                  {"accuracy", number_json(c.accuracy)},
                                  {"precision", number_json(c.precision)},
                                  {"recall", number_json(c.recall)},
                                  {"f1", number_json(c.f1)},
                                  {"pixels", c.pixels}});
    }
    document["stages"].push_back(entry);
  }
  fmt::print("{}\n", document.dump(2, ' ', false, Json::error_handler_t::replace));
}

void write_csv(const std::string& file, const std::vector<ImageScores>& rows) {
  std::string text = "image,stage";
  for (const Figure& figure : kFigures) text += fmt::format(",{}", figure.key);
  for (const ImageScores& row : rows) {
    std::string quoted;
    for (char c : row.stem) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    text += fmt::format("\n\"{}\",{}", quoted, row.stage);
    for (const Figure& figure : kFigures) text += "," + number_text(row.metrics.*figure.value);
  }
  text += "\n";
  write_file(file, std::as_bytes(std::span(text)));
}

}  // namespace atrous::cli
