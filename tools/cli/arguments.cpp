// SPDX-License-Identifier: Apache-2.0
#include "cli/arguments.h"

#include <algorithm>
#include <filesystem>

#include "config/model_path.h"
#include "config/yaml.h"
#include "core/error.h"
#include "refine/superpixel.h"

namespace atrous::cli {
namespace fs = std::filesystem;

std::vector<std::string> fill_optional_values(std::vector<std::string> arguments, bool spaced) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string& argument = arguments[i];
    if (argument == "--") break;
    if (argument != "--crf" && argument != "--superpixels") {
      if (argument == "--crf=" || argument == "--superpixels=") argument += kDefaultWord;
      continue;
    }
    const bool has_value = spaced && i + 1 < arguments.size() && arguments[i + 1].rfind('-', 0) != 0;
    if (!has_value) argument += "=" + std::string(kDefaultWord);
  }
  return arguments;
}

void DeviceArguments::add_to(CLI::App& app) {
  app.add_option("--device", device, "auto, cpu, cuda or cuda:N; auto takes a GPU where one works")
      ->envname("ATROUS_DEVICE")
      ->capture_default_str();
  app.add_option("--precision", precision, "auto, fp32, fp16, bf16 or int8")
      ->envname("ATROUS_PRECISION")
      ->check(CLI::IsMember({"auto", "fp32", "fp16", "bf16", "int8"}))
      ->capture_default_str();
  app.add_option("--threads", threads, "threads in all (0: one a processor)")
      ->envname("ATROUS_THREADS")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
}

void RefineArguments::add_to(CLI::App& app, bool spaced) {
  const std::string equals = spaced ? " " : "=";
  app.add_option("--crf", crf,
                 "dense CRF: --crf for the default preset, --crf" + equals + "PRESET, --crf" + equals +
                     "KEY=VALUE,... or --crf" + equals + "off")
      ->type_name("[=PRESET|KEY=VALUE,...|off]");
  app.add_option("--superpixels", superpixels,
                 "smooth the scores over SLIC superpixels, N of them: --superpixels" + equals + "N or off")
      ->type_name("[=N|off]");
}

void RefineArguments::apply(SegmentOptions& options) const {
  if (crf) options.crf = *crf == kDefaultWord ? std::string() : *crf;
  if (options.crf && *options.crf != "off")
    parse_crf(*options.crf);  // complains now, before any photo is read
  if (superpixels) options.superpixels = parse_superpixels(*superpixels);
}

int parse_superpixels(const std::string& text) {
  if (text == "off") return 0;
  if (text == kDefaultWord) return SlicParams{}.superpixels;
  const std::optional<std::int64_t> count = parse_integer(text);
  if (!count || *count < 0 || *count > 100'000'000)
    fail(ErrorCode::invalid_argument, "--superpixels must be a count or 'off', not '{}'", text);
  return static_cast<int>(*count);
}

std::vector<std::string> split_list(std::string_view option, std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t start = 0;;) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    if (end == start) fail(ErrorCode::invalid_argument, "{}: an empty word in the list '{}'", option, text);
    words.emplace_back(text.substr(start, end - start));
    if (end == text.size()) return words;
    start = end + 1;
  }
}

std::vector<double> parse_scales(std::string_view text) {
  std::vector<double> scales;
  for (const std::string& word : split_list("--scales", text)) {
    const std::optional<double> scale = parse_number(word);
    if (!scale || *scale < 0.05 || *scale > 20)
      fail(ErrorCode::invalid_argument, "--scales: '{}' is not a number between 0.05 and 20", word);
    scales.push_back(*scale);
  }
  return scales;
}

Size parse_size(std::string_view text) {
  const std::size_t cross = text.find('x');
  const auto height = parse_integer(text.substr(0, cross)),
             width = cross == text.npos ? height : parse_integer(text.substr(cross + 1));
  if (!height || !width || std::min(*height, *width) < 1 || std::max(*height, *width) > 65536)
    fail(ErrorCode::invalid_argument, "--size must be HEIGHTxWIDTH or one number, each 1 to 65536, not '{}'",
         text);
  return {static_cast<int>(*height), static_cast<int>(*width)};
}

LabelSet find_label_set(const std::string& name_or_path) {
  const fs::path path(name_or_path);
  if (path.extension() == ".yaml" || path.has_parent_path()) return parse_labels(load_yaml(path));
  std::vector<std::string> names;
  std::error_code ignored;
  for (const fs::path& root : model_roots())
    for (const auto& entry : fs::directory_iterator(root / "configs/labels", ignored)) {
      if (entry.path().stem() == path) return parse_labels(load_yaml(entry.path()));
      names.push_back(entry.path().stem().string());
    }
  const std::string near = nearest_word(name_or_path, names);
  fail(ErrorCode::not_found, "label set '{}' is not known{}", name_or_path,
       near.empty() ? "" : " (did you mean '" + near + "'?)");
}

}  // namespace atrous::cli
