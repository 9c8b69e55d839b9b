// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>
#include <vector>

#include "graph/graph.h"

namespace atrous {

/// A graph being rewritten: nodes keep their indices, `stands_for[i]` is the node that now makes value i.
struct Rewrite {
  explicit Rewrite(const Graph& graph)
      : nodes(graph.nodes().begin(), graph.nodes().end()),
        outputs(graph.outputs()),
        readers(graph.consumers()) {
    for (int i = 0; i < graph.size(); ++i) stands_for.push_back(i);
    for (int output : outputs) readers[static_cast<std::size_t>(output)].push_back(-1);
  }

  Node& at(int index) { return nodes[static_cast<std::size_t>(index)]; }
  bool read_once(int index) const { return readers[static_cast<std::size_t>(index)].size() == 1; }

  /// Makes node i another one, which makes the same value.
  void replace(int i, Node node) {
    node.range = at(i).range;
    at(i) = std::move(node);
  }

  /// The parameters of type P of the node `index` if it is one and only one node reads it.
  template <typename P>
  P* sole(int index) {
    return read_once(index) ? std::get_if<P>(&at(index).params) : nullptr;
  }

  /// The graph of what the outputs need, renumbered.
  Graph finish() && {
    std::vector<bool> needed(nodes.size(), false);
    needed[0] = true;
    for (int& output : outputs) {
      output = stands_for[static_cast<std::size_t>(output)];
      needed[static_cast<std::size_t>(output)] = true;
    }
    for (std::size_t i = nodes.size(); i-- > 1;)
      if (needed[i])
        for (int& input : nodes[i].inputs) {
          input = stands_for[static_cast<std::size_t>(input)];
          needed[static_cast<std::size_t>(input)] = true;
        }
    std::vector<int> renumbered(nodes.size(), -1);
    std::vector<Node> kept;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (!needed[i]) continue;
      renumbered[i] = static_cast<int>(kept.size());
      for (int& input : nodes[i].inputs) input = renumbered[static_cast<std::size_t>(input)];
      kept.push_back(std::move(nodes[i]));
    }
    for (int& output : outputs) output = renumbered[static_cast<std::size_t>(output)];
    return Graph(std::move(kept), std::move(outputs));
  }

  std::vector<Node> nodes;
  std::vector<int> outputs;
  std::vector<std::vector<int>> readers;  // of the graph before; an output counts as a reader
  std::vector<int> stands_for;
};

}  // namespace atrous
