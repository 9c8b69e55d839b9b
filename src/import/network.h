// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/tensor_ref.h"
#include "core/types.h"
#include "core/value.h"

namespace atrous {

/// The keys of a node, in the order in which the config has them.
using Keys = std::vector<std::pair<std::string, Value>>;

/// An operator of the engine on its way into a config.
struct ImportedNode {
  std::string name, op;
  std::vector<int> inputs;  ///< nodes before it; 0 is the network's input
  Keys keys;
  std::vector<TensorRef> tensors;  ///< "weight", "bias", ...
  Shape shape;                     ///< of its value at the extent that the import was tried with
};

/// Nodes, each checked by its operator when it is added. Node 0 is the input.
class ImportedNetwork {
 public:
  explicit ImportedNetwork(const Shape& input);

  /// Returns the node's index. Throws Error{bad_config} where the operator does not take it.
  int add(const std::string& name, std::string op, std::vector<int> inputs, Keys keys = {},
          std::vector<TensorRef> tensors = {});
  const ImportedNode& operator[](int node) const { return nodes_[static_cast<std::size_t>(node)]; }
  ImportedNode& operator[](int node) { return nodes_[static_cast<std::size_t>(node)]; }
  int size() const { return static_cast<int>(nodes_.size()); }

  /// Lets every reader of `node` (and the output) read `other`, which must stand before the readers.
  void replace(int node, int other);
  /// How many nodes read each node; the output counts as a reader.
  std::vector<int> readers() const;
  /// Drops what the output does not need.
  void prune();

  int output = 0;

 private:
  std::string unique(const std::string& name);
  std::vector<ImportedNode> nodes_;
  std::map<std::string, int> names_;  ///< given so far, and how often each was asked for
};

/// Numbers as a config has them.
Value number(float value);
Value number(std::int64_t value);
/// [h, w], or one number where both are the same.
Value pair_of(std::int64_t h, std::int64_t w);
/// [top, left, bottom, right], shorter where sides are the same.
Value padding_of(std::int64_t top, std::int64_t left, std::int64_t bottom, std::int64_t right);

}  // namespace atrous
