// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <tuple>

#include "graph/passes.h"

namespace atrous {
namespace {

using Storage = std::optional<Quantisation>;  ///< none: the plan's type

bool is_quantisable(const Graph& graph, int index) {
  const Node& node = graph.node(index);
  if (node.kind() != OpKind::conv2d || !graph.node(node.inputs[0]).range) return false;
  const TensorRef& weight = node.constants[0].tensor;
  return weight.dtype == DType::s8 && weight.elements() / weight.dims[0] <= kMostQuantisedTaps;
}

class Rewriter {
 public:
  Rewriter(const Graph& graph, DType type)
      : graph_(graph),
        type_(type),
        readers_(graph.consumers()),
        stored_(static_cast<std::size_t>(graph.size())) {
    for (int i = 0; i < graph.size(); ++i) {
      narrowable_.push_back(is_narrowable(i));
      writes_narrow_.push_back(writes_narrow(i));
    }
    for (int i = graph.size(); i-- > 1;) stored_[at(i)] = choose_storage(i);
  }

  Graph run() {
    for (int i = 0; i < graph_.size(); ++i) {
      Node node = graph_.node(i);
      for (std::size_t operand = 0; operand < node.inputs.size(); ++operand)
        node.inputs[operand] = as(wanted(i, operand), node.inputs[operand]);
      node.quantised = stored_[at(i)];
      index_.push_back(append(std::move(node)));
    }
    std::vector<int> outputs;
    for (int output : graph_.outputs()) outputs.push_back(index_[at(output)]);
    return Graph(std::move(nodes_), std::move(outputs));
  }

 private:
  static std::size_t at(int index) { return static_cast<std::size_t>(index); }

  bool is_narrowable(int i) const {
    if (type_ != DType::bf16) return is_quantisable(graph_, i);
    return graph_.node(i).kind() == OpKind::conv2d && graph_.node(i).inputs[0] != 0;
  }

  /// How node i's value is stored when it is narrow; none where its range is not known.
  Storage narrow(int i) const {
    if (type_ == DType::bf16) return Quantisation{type_, 1};
    const std::optional<ValueRange>& range = graph_.node(i).range;
    return range ? Storage(quantisation_of(*range)) : Storage();
  }

  bool read_once(int i) const { return readers_[at(i)].size() == 1 && !graph_.is_output(i); }

  /// Whether node i can write narrow values: a convolution, or a concatenation with something that does so
  /// into it.
  bool writes_narrow(int i) const {
    const std::vector<int>& inputs = graph_.node(i).inputs;
    return narrowable_[at(i)] || (graph_.node(i).kind() == OpKind::concat &&
                                  std::any_of(inputs.begin(), inputs.end(), [&](int input) {
                                    return read_once(input) && writes_narrow_[at(input)];
                                  }));
  }

  /// How value i is best written, its readers being decided.
  Storage choose_storage(int i) const {
    const Node& node = graph_.node(i);
    if (!writes_narrow_[at(i)] || graph_.is_output(i)) return {};
    if (narrowable_[at(i)] && node.inputs.size() > 1 && !narrow(node.inputs[1])) return {};  // its residual
    const std::vector<int>& readers = readers_[at(i)];
    if (read_once(i) && graph_.node(readers[0]).kind() == OpKind::concat) return stored_[at(readers[0])];
    const bool useful = std::any_of(readers.begin(), readers.end(), [&](int reader) {
      return narrowable_[at(reader)] && (graph_.node(reader).inputs[0] == i || stored_[at(reader)]);
    });
    return useful ? narrow(i) : Storage();
  }

  /// How node i must be given an operand.
  Storage wanted(int i, std::size_t operand) const {
    const Node& node = graph_.node(i);
    const int input = node.inputs[operand];
    if (node.kind() == OpKind::concat) return stored_[at(i)];
    if (node.kind() == OpKind::resize && operand == 1) return stored_[at(input)];  // for its extent alone
    if (!narrowable_[at(i)] || (operand > 0 && !stored_[at(i)])) return {};
    return stored_[at(input)] ? stored_[at(input)] : narrow(input);
  }

  /// The new index of the node that makes value i, stored so.
  int as(const Storage& storage, int i) {
    if (storage == stored_[at(i)]) return index_[at(i)];
    const Quantisation key = storage.value_or(Quantisation{DType::f32});
    const auto [found, is_new] = converted_.emplace(std::tuple(i, key.dtype, key.scale), 0);
    if (is_new) {
      Node convert;
      convert.name = graph_.node(i).name + "." + std::string(to_string(key.dtype));
      convert.where = graph_.node(i).where;
      convert.params = ConvertParams{};
      convert.inputs = {index_[at(i)]};
      convert.quantised = storage;
      found->second = append(std::move(convert));
    }
    return found->second;
  }

  int append(Node node) {
    nodes_.push_back(std::move(node));
    return static_cast<int>(nodes_.size()) - 1;
  }

  const Graph& graph_;
  const DType type_;
  std::vector<std::vector<int>> readers_;
  std::vector<bool> narrowable_, writes_narrow_;  // by node of graph_, as are
  std::vector<Storage> stored_;
  std::vector<int> index_;  // the node's new index
  std::vector<Node> nodes_;
  std::map<std::tuple<int, DType, float>, int> converted_;
};

}  // namespace

bool can_quantise(const Graph& graph) {
  for (int i = 1; i < graph.size(); ++i)
    if (is_quantisable(graph, i)) return true;
  return false;
}

Graph narrow_convolutions(const Graph& graph, DType type) { return Rewriter(graph, type).run(); }

}  // namespace atrous
