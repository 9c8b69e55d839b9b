// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "config/modules.h"
#include "config/yaml.h"
#include "graph/builder.h"

namespace atrous::test {

/// The graph of a list of nodes in YAML, with random weights.
inline Graph build(const std::string& yaml, const Shape& input) {
  const Expansion e = expand_network(parse_yaml(yaml, "net.yaml"), "", Value::map({}), {});
  return build_graph(e.nodes, e.output, input, RandomWeights(3));
}

}  // namespace atrous::test
