// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "config/labels.h"
#include "core/files.h"
#include "core/image.h"

namespace atrous::cli {

/// One self-contained page about a folder's run: a card an image (thumbnail, areas of the classes, times of
/// the stages, why it failed), a search over them, areas and a histogram a class. It is written as the images
/// come, so that memory does not grow with them, and it is not there under its name before finish(). Names
/// and messages may hold anything.
class HtmlReport {
 public:
  /// Longest side of a thumbnail in pixels.
  static constexpr int kThumbnail = 192;

  /// Throws Error{io}.
  HtmlReport(const std::filesystem::path& file, const LabelSet& labels);

  /// A line of report.jsonl, and the image's thumbnail (without pixels: none). What is no such line is passed
  /// over.
  void add(const nlohmann::ordered_json& line, const Image& thumbnail);
  /// All lines of a report, without thumbnails.
  void add_earlier(const std::filesystem::path& report);
  /// Ends the page; `run` is what run.json holds. Throws Error{io}, also for what could not be written
  /// before.
  void finish(const nlohmann::ordered_json& run);

 private:
  struct ClassTotals {
    std::int64_t pixels = 0, images = 0;
    std::array<std::int64_t, 10> shares{};  ///< images by the class's share of them: up to 10 %, 20 %, ...
  };

  void add_areas(const nlohmann::ordered_json& line, std::string& card);
  void add_times(const nlohmann::ordered_json& line, std::string& card);
  std::string class_table() const;
  std::string stage_table() const;

  std::filesystem::path path_;
  const LabelSet& labels_;
  TemporaryFile file_;
  std::ofstream out_;
  std::vector<ClassTotals> classes_;
  std::vector<std::pair<std::string, double>> stages_;  ///< milliseconds, in the order of the lines
  std::int64_t images_ = 0, failed_ = 0, pixels_ = 0;
};

}  // namespace atrous::cli
