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
  std::string crf, superpixels, scales;  ///< as given; "" = not given
  bool flip = false;

  void add_to(CLI::App& command);
  SegmentOptions parse(int threads) const;
};

/// Superpixels where --superpixels has no number.
inline constexpr int kDefaultSuperpixels = 600;

/// "mask,overlay,color,probs" as flags. Throws Error.
SaveOptions parse_save(const std::string& list);

/// Parts of a comma-separated list.
std::vector<std::string> split(const std::string& list);

/// "default" (a bare --superpixels), "off" or a number from 1. Throws Error.
int parse_superpixels(const std::string& text);

}  // namespace atrous::cli
