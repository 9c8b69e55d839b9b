// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/tensor_ref.h"
#include "core/value.h"
#include "ops/params.h"
#include "ops/schema.h"

namespace atrous {

/// One operator of a network. It has exactly one output, so a node's index also names the value it makes.
struct Node {
  std::string name;  ///< full path, e.g. "backbone.layer1.0.conv1"
  OpParams params;
  std::vector<int> inputs;          ///< indices of earlier nodes
  std::vector<Constant> constants;  ///< in the order of the schema's ConstantSpecs
  SourceLocation where;
  std::optional<ValueRange> range;  ///< of the value it makes, in a quantised model
  /// How that value is stored where it is not of the plan's type; set by a pass only.
  std::optional<Quantisation> quantised = {};

  OpKind kind() const { return kind_of(params); }
};

/// A directed acyclic graph that never changes: passes return a new one. Nodes stand in topological order;
/// node 0 is the input and the only node without inputs. Safe to read from many threads.
class Graph {
 public:
  /// Throws Error{internal} where the order or an index is wrong.
  Graph(std::vector<Node> nodes, std::vector<int> outputs);

  std::span<const Node> nodes() const { return nodes_; }
  const Node& node(int index) const { return nodes_[static_cast<std::size_t>(index)]; }
  int size() const { return static_cast<int>(nodes_.size()); }
  const std::vector<int>& outputs() const { return outputs_; }
  bool is_output(int index) const;
  const Node* first(OpKind kind) const;  ///< the first node of that operator; null where there is none
  /// For every node the nodes that read it (twice where it is read twice).
  std::vector<std::vector<int>> consumers() const;

 private:
  std::vector<Node> nodes_;
  std::vector<int> outputs_;
};

/// The shapes of a node's inputs, out of those of all values.
std::vector<Shape> input_shapes(const Node& node, std::span<const Shape> shapes);

/// Output shape of every node for this input. Errors carry the node's file, line and name.
std::vector<Shape> infer_shapes(const Graph& graph, const Shape& input);

/// Runs `f`; an Error it throws is thrown again with "file:line: node 'NAME': " in front.
template <typename F>
auto with_place(const SourceLocation& where, const std::string& name, F f) {
  try {
    return f();
  } catch (const Error& error) {
    std::string place = to_string(where);
    throw Error(error.code(),
                (place.empty() ? "" : place + ": ") + "node '" + name + "': " + error.message());
  }
}

}  // namespace atrous
