// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/model_config.h"
#include "core/types.h"
#include "pipeline/segmenter.h"

namespace atrous::cli {

/// What a bare `--crf` or `--superpixels` means.
inline constexpr std::string_view kDefaultWord = "default";

/// Gives `--crf` and `--superpixels` their value where they stand bare. Where `spaced` is false they take a
/// value only after '=', so that `--crf photo.jpg` leaves the photo alone; else the next word is theirs
/// unless it is an option.
std::vector<std::string> fill_optional_values(std::vector<std::string> arguments, bool spaced);

/// The options `--device`, `--precision` (and `--threads`) that every command with a model has.
struct DeviceArguments {
  std::string device = "auto", precision = "auto";
  int threads = 0;

  void add_to(CLI::App& app);
};

/// The options `--crf` and `--superpixels` as texts.
struct RefineArguments {
  std::optional<std::string> crf, superpixels;

  void add_to(CLI::App& app, bool spaced);
  /// As SegmentOptions wants them; throws Error{invalid_argument}.
  void apply(SegmentOptions& options) const;
};

/// A count, `off` (0) or `default`; throws Error{invalid_argument} naming --superpixels.
int parse_superpixels(const std::string& text);

/// The words between commas, none empty; throws Error{invalid_argument} naming `option`.
std::vector<std::string> split_list(std::string_view option, std::string_view text);
/// The positive numbers of `--scales`.
std::vector<double> parse_scales(std::string_view text);

struct Size {
  int height = 0, width = 0;
};
/// HxW, or one number for both.
Size parse_size(std::string_view text);

/// A label set of the model path by name, or a path to its YAML.
LabelSet find_label_set(const std::string& name_or_path);

}  // namespace atrous::cli
