// SPDX-License-Identifier: Apache-2.0
#include "graph/graph.h"

#include <algorithm>

namespace atrous {

Graph::Graph(std::vector<Node> nodes, std::vector<int> outputs)
    : nodes_(std::move(nodes)), outputs_(std::move(outputs)) {
  for (int i = 0; i < size(); ++i) {
    const Node& n = node(i);
    if ((n.kind() == OpKind::input) != (i == 0))
      fail(ErrorCode::internal, "graph: node {} '{}' breaks the rule that node 0 alone is the input", i,
           n.name);
    for (int input : n.inputs)
      if (input < 0 || input >= i)
        fail(ErrorCode::internal, "graph: node {} '{}' reads node {}", i, n.name, input);
  }
  for (int output : outputs_)
    if (output < 0 || output >= size()) fail(ErrorCode::internal, "graph: output {} does not exist", output);
}

bool Graph::is_output(int index) const {
  return std::find(outputs_.begin(), outputs_.end(), index) != outputs_.end();
}

const Node* Graph::first(OpKind kind) const {
  const auto found =
      std::find_if(nodes_.begin(), nodes_.end(), [&](const Node& node) { return node.kind() == kind; });
  return found == nodes_.end() ? nullptr : &*found;
}

std::vector<std::vector<int>> Graph::consumers() const {
  std::vector<std::vector<int>> readers(nodes_.size());
  for (int i = 0; i < size(); ++i)
    for (int input : node(i).inputs) readers[static_cast<std::size_t>(input)].push_back(i);
  return readers;
}

std::vector<Shape> input_shapes(const Node& node, std::span<const Shape> shapes) {
  std::vector<Shape> inputs;
  for (int input : node.inputs) inputs.push_back(shapes[static_cast<std::size_t>(input)]);
  return inputs;
}

std::vector<Shape> infer_shapes(const Graph& graph, const Shape& input) {
  input.elements();
  std::vector<Shape> shapes{input};
  for (const Node& node : graph.nodes().subspan(1))
    shapes.push_back(with_place(node.where, node.name, [&] {
      Shape shape = schema_of(node.params).infer_shape(node.params, input_shapes(node, shapes));
      shape.elements();
      return shape;
    }));
  return shapes;
}

}  // namespace atrous
