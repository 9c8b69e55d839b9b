// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "config/modules.h"
#include "config/yaml.h"
#include "graph/builder.h"
#include "quantise/quantise.h"
#include "support/run_network.h"

namespace atrous::test {

/// Tensors in memory, which tests may spoil.
class MemoryWeights : public WeightSource {
 public:
  explicit MemoryWeights(std::vector<TensorRef> list) {
    for (TensorRef& tensor : list) tensors[tensor.name] = std::move(tensor);
  }
  std::optional<TensorRef> find(std::string_view name, const std::vector<std::int64_t>&) const override {
    const auto found = tensors.find(name);
    return found == tensors.end() ? std::nullopt : std::optional(found->second);
  }
  std::string describe() const override { return "memory"; }

  std::map<std::string, TensorRef, std::less<>> tensors;
};

/// A network as a config and its quantised weights.
struct QuantisedNetwork {
  Expansion expansion;
  MemoryWeights weights;

  Graph build(const Shape& input) const {
    return build_graph(expansion.nodes, expansion.output, input, weights);
  }
};

/// Each node a step of its own.
inline PlanOptions separate_nodes() {
  PlanOptions options;
  options.fold_batch_norm = options.fuse = options.concat_in_place = false;
  return options;
}

/// The network of random weights, calibrated on noise of this extent.
inline QuantisedNetwork quantise(const std::string& yaml, const Shape& input,
                                 const std::set<std::string>& keep = {}) {
  Expansion e = expand_network(parse_yaml(yaml, "net.yaml"), "", Value::map({}), {});
  const auto network = std::make_shared<Network>(build_graph(e.nodes, e.output, input, RandomWeights(3)),
                                                 input, make_backend({}), separate_nodes());
  Quantiser quantiser(network->graph(), input, keep);
  Executor executor(network, 1);
  executor.set_observer([&](const Node& node, const TensorView& value) { quantiser.observe(node, value); });
  run(executor, input, noise(input));
  const Value ranges = quantiser.ranges({.percentile = 100});
  for (NodeSpec& node : e.nodes)
    if (const Value* range = ranges.find(node.name))
      node.range = ValueRange{static_cast<float>(*parse_number(range->items[0].scalar)),
                              static_cast<float>(*parse_number(range->items[1].scalar))};
  return {std::move(e), MemoryWeights(quantiser.tensors())};
}

}  // namespace atrous::test
