// SPDX-License-Identifier: Apache-2.0
#include "cli/eval_pairs.h"

#include <map>
#include <sstream>

#include "core/error.h"
#include "core/files.h"
#include "image/codec.h"

namespace atrous::cli {
namespace {

namespace fs = std::filesystem;
using Files = std::map<std::string, fs::path>;

void require(const fs::path& path) {
  std::error_code status;
  if (!fs::exists(path, status)) fail(ErrorCode::not_found, "{}: no such file or folder", path.string());
}

bool is_png(const fs::path& path) { return path.extension() == ".png" || path.extension() == ".PNG"; }

/// The images below a folder by their path from there without extension; of two with the same one the PNG.
Files list_images(const fs::path& folder, bool only_png) {
  Files files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const fs::path& path = entry.path();
    if (!entry.is_regular_file() || !has_image_extension(path) || (only_png && !is_png(path))) continue;
    fs::path& kept = files[path.lexically_relative(folder).replace_extension().string()];
    if (kept.empty() || is_png(path)) kept = path;
  }
  return files;
}

void pair_listed(EvalPairs& result, const Files& predictions, const Files& labels, const std::string& list) {
  for (const std::string& stem : read_lines(list)) {
    const auto prediction = predictions.find(stem), label = labels.find(stem);
    if (prediction == predictions.end())
      result.incomplete.push_back(fmt::format("{}: '{}' has no prediction or photo", list, stem));
    else if (label == labels.end())
      result.incomplete.push_back(fmt::format("{}: '{}' has no label", list, stem));
    else
      result.pairs.push_back({stem, prediction->second, label->second});
  }
}

}  // namespace

EvalPairs find_pairs(const fs::path& predictions, const fs::path& labels, const std::string& list) {
  require(predictions);
  require(labels);
  EvalPairs result;
  if (fs::is_directory(predictions) != fs::is_directory(labels))
    fail(ErrorCode::invalid_argument, "{} and {} must both be folders or both be files", predictions.string(),
         labels.string());
  if (!fs::is_directory(predictions)) {
    result.pairs.push_back({predictions.stem().string(), predictions, labels});
  } else {
    const Files left = list_images(predictions, false), right = list_images(labels, true);
    if (!list.empty()) {
      pair_listed(result, left, right, list);
    } else {
      for (const auto& [stem, path] : left)
        if (auto label = right.find(stem); label != right.end())
          result.pairs.push_back({stem, path, label->second});
      result.unlabelled = left.size() - result.pairs.size();
    }
  }
  for (const EvalPair& pair : result.pairs) result.photos = result.photos || !is_png(pair.prediction);
  return result;
}

std::vector<std::string> read_lines(const fs::path& file) {
  const std::vector<std::byte> bytes = read_file(file);
  std::istringstream text(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) {
    const std::size_t first = line.find_first_not_of(" \t\r");
    if (first == line.npos) continue;
    lines.push_back(line.substr(first, line.find_last_not_of(" \t\r") - first + 1));
  }
  return lines;
}

}  // namespace atrous::cli
