// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "import/fold.h"
#include "import/layout.h"
#include "import/network.h"
#include "import/onnx_model.h"

namespace atrous {

/// What is known of an ONNX value: the constant it is, or the node that makes it and how it lies there.
struct OnnxValue {
  std::optional<Array> constant;
  int node = -1;
  Layout layout;
};

/// One ONNX node on its way into the network: its operands, checked, and where its results go. Everything
/// throws Error without a place; the caller names the node.
class NodeContext {
 public:
  NodeContext(const OnnxNode& node, int opset, std::unordered_map<std::string, OnnxValue>& values,
              ImportedNetwork& network, bool makes_output);

  const OnnxNode& onnx;
  const int opset;
  const bool makes_output;  ///< the model's
  ImportedNetwork& network;

  const Array* constant(std::size_t input) const;  ///< nullptr where it is none, or left out
  const std::vector<const Array*>& constants() const { return constants_; }
  /// A constant of real numbers of that many dimensions.
  const Array& weights(std::size_t input, std::size_t rank) const;
  const OnnxValue& value(std::size_t input) const;  ///< one that is computed
  const Shape& shape(std::size_t input) const { return network[value(input).node].shape; }
  Dims dims(std::size_t input) const { return value(input).layout.dims(shape(input)); }
  /// The letter ('c') that an axis of an input is; refuses one that is several.
  char letter(std::size_t input, std::int64_t axis) const;
  /// value(), which must lie n, c, h, w.
  const OnnxValue& image(std::size_t input) const;

  int emit(std::string op, std::vector<int> inputs, Keys keys = {}, std::vector<TensorRef> tensors = {});
  void result(int node, Layout layout, std::size_t output = 0);
  /// The first input again, perhaps lying otherwise.
  void pass(Layout layout) { result(value(0).node, std::move(layout)); }

  /// Throws Error{unsupported}: `accepted` completes the sentence "accepted is ...".
  [[noreturn]] static void refuse(const std::string& accepted);

 private:
  const OnnxValue* find(std::size_t input) const;
  std::unordered_map<std::string, OnnxValue>& values_;
  std::vector<const Array*> constants_;
  std::string name_;
};

/// How a photo lies in the model's input: dimensions of a photo of this extent.
struct OnnxPhoto {
  Shape shape;
  Layout layout;
};

/// The network that the model's first output is computed by, for photos of this extent. Throws Error that
/// names the operator, the node and the opset, but not the file.
ImportedNetwork translate(const OnnxModel& model, const OnnxPhoto& photo);

/// A name of letters, digits and '_' for a node: after its weights; after `weighted`, the node that it reads
/// where that has weights (else ""), unless its own name is a path; after itself or its value.
std::string node_name(const OnnxNode& node, const std::string& weighted);

/// A copy of the constant's tensor for a node of the network.
TensorRef named(const Array& array, std::string name);

using Translation = void (*)(NodeContext&);
/// Every operator that is not only computed from constants.
const std::unordered_map<std::string_view, Translation>& translations();

}  // namespace atrous
