// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "config/model_config.h"
#include "graph/graph.h"

namespace atrous {

/// Checks every node's operator, keys, inputs and shapes and gives it its weights. `nominal` is the input
/// extent the weights are checked with (only a fully connected layer depends on its h and w). Errors:
/// "file:line: node 'x': ...". A weight with NaN or infinity is an error that names the tensor. The graph's
/// outputs are `output`, then `more`, full paths of nodes; an unknown one is Error{invalid_argument}.
Graph build_graph(const std::vector<NodeSpec>& nodes, const std::string& output, const Shape& nominal,
                  const WeightSource& weights, const std::vector<std::string>& more = {});

/// The nominal input of a config, for build_graph, `inspect` and `bench`: 1 x height x width x 3.
Shape nominal_input(const InputSpec& input);

}  // namespace atrous
