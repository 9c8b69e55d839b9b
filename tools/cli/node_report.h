// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "graph/executor.h"

namespace atrous::cli {

/// What is known of one node of a network that is planned for one input shape.
struct NodeReport {
  std::string name, op;             ///< op with its parameters: "conv2d 3x3 rate 12"
  std::vector<std::string> inputs;  ///< names of the nodes it reads
  Shape output;
  std::int64_t parameters = 0;
  Cost cost;
  std::string implementation;  ///< "in place" where nothing runs: its producers wrote its slices
  std::string detail;          ///< the implementation's own words
  std::vector<Refusal> refusals;
  std::size_t arena_offset = 0, workspace_bytes = 0;
  double milliseconds = 0;  ///< of the executor's last run with profiling on; else 0
};

/// One report a node, the input left out. The executor must be prepared.
std::vector<NodeReport> report_nodes(const Network& network, const Executor& executor);

Cost total_cost(std::span<const NodeReport> nodes);

nlohmann::ordered_json to_json(const NodeReport& node);

/// "conv2d 3x3/2 rate 12 groups 64 +residual +relu": an operator with the parameters one asks about first.
std::string describe_op(const OpParams& params);

/// Writes a repeatable pattern of values in [-1, 1] where an executor wants its input.
void fill_input(float* input, const Shape& shape);

}  // namespace atrous::cli
