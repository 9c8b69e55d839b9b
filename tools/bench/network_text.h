// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "config/model_config.h"
#include "core/types.h"

/// Networks as JSON with blocks expanded, so that a program can have them without a YAML parser and without
/// the configs: what the GPU benchmark and its PyTorch peer read. Scalars keep their text, as in Value.
namespace atrous::bench {

/// A network and the input extents to run it with.
struct BenchNetwork {
  std::string name;
  std::string group;  ///< "network", "head", or "operator": only its operators one by one
  std::vector<Shape> inputs;
  std::vector<NodeSpec> nodes;
  std::string output;
};

nlohmann::ordered_json to_json(const BenchNetwork& network);
/// Throws nlohmann::json::exception or Error where the text is not what to_json() makes.
std::vector<BenchNetwork> read_networks(const std::string& text);
Value value_of(const nlohmann::ordered_json& json);

}  // namespace atrous::bench
