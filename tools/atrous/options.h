// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "pipeline/batch.h"
#include "pipeline/model.h"
#include "pipeline/segmenter.h"

namespace atrous::cli {

/// The options every command that runs a model has.
struct ModelArguments {
  std::string model;
  ModelOptions options;
  int threads = 0;

  void add_to(CLI::App& command, bool model_is_positional);
};

/// How to segment, for `segment` and `eval`.
struct SegmentArguments {
  std::string crf, crf_on, superpixels, scales, tile;  ///< as given; "" = not given
  bool flip = false;

  void add_to(CLI::App& command);
  bool given() const { return flip || !(crf + crf_on + superpixels + scales + tile).empty(); }
  SegmentOptions parse(int threads) const;
};

void add_crf_on(CLI::App& command, std::string& crf_on);
/// --crf and --crf-on, as given, as parse_crf takes them: "" where neither is, "off", or
/// "PRESET,KEY=VALUE,..." (a bare --crf: the default preset's name). Throws Error where the CRF is both off
/// and on something.
std::string crf_text(const std::string& crf, const std::string& crf_on);

/// A real number from `low` to `high`, as CLI::Range, which takes "nan" too.
CLI::Validator real_range(double low, double high);

/// "mask,overlay,..." as flags. Throws Error.
SaveOptions parse_save(const std::string& list);
/// All that --save knows, "mask, overlay, ...".
std::string list_output_kinds();

/// "N" or "N:OVERLAP". Throws Error.
TileOptions parse_tile(const std::string& text);

/// Of `--size`: "HxW", or one number for both; each from 1 to 65536. Throws Error.
struct Extent {
  int height, width;
};
Extent parse_extent(const std::string& text);

/// Parts of a comma-separated list.
std::vector<std::string> split(const std::string& list);

/// "default" (a bare --superpixels), "off" or a number from 1. Throws Error.
int parse_superpixels(const std::string& text);

}  // namespace atrous::cli
