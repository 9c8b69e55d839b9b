// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/crops.h"
#include "pipeline/inputs.h"

namespace atrous::cli {

/// Where in the photos `segment` looks for people.
struct CropArguments {
  std::vector<std::string> boxes;  ///< each "x,y,w,h"
  std::string csv, detect;
  std::optional<double> enlarge;

  void add_to(CLI::App& command);
  /// Gives the inputs their boxes; says in one line which lines of the CSV name none of them. Throws Error.
  CropOptions parse(std::vector<InputFile>& inputs) const;
};

}  // namespace atrous::cli
