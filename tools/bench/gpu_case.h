// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/types.h"
#include "graph/graph.h"
#include "network_text.h"

namespace atrous::bench {

/// One operator on inputs of these shapes.
struct OperatorCase {
  std::string group;  ///< "conv", "depthwise", "separable", "pyramid", "pool", "resize", "ceiling"
  std::string name;   ///< "conv 1x65x65x2048 oc256 k3 d12 relu", unique
  OpParams params;
  std::vector<Shape> inputs;
  std::vector<std::string> used_in;  ///< networks that have it
};

/// A network with random weights.
Graph build(const BenchNetwork& network);

/// Adds the convolutions (those of pyramids and separable ones too), pyramids, separable ones, poolings and
/// resizes of an optimised graph for one input that are not in the list yet.
void collect(const Graph& graph, const Shape& input, const std::string& user,
             std::vector<OperatorCase>& cases);

/// A copy of 1 GiB and a product of 8192 x 8192 matrices, as the operators that are these.
std::vector<OperatorCase> ceilings();

Shape output_shape(const OperatorCase& c);
/// What another program needs to do the same work: operator, shapes and parameters.
nlohmann::ordered_json describe(const OperatorCase& c);

}  // namespace atrous::bench
