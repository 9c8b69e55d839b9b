// SPDX-License-Identifier: Apache-2.0
#include "import/patterns.h"

#include <cmath>

#include "ops/schema.h"

namespace atrous {
namespace {

OpParams params_of(const ImportedNode& node) {
  const Value map = Value::map(node.keys);
  Fields fields(map, node.name);
  return find_schema(node.op)->parse(node.op, fields);
}

/// Whether a node is `op` with this scalar, nearly.
bool is_with_scalar(const ImportedNode& node, const std::string& op, double scalar) {
  if (node.op != op || node.inputs.size() != 1) return false;
  return std::abs(std::get<BinaryParams>(params_of(node)).scalar - scalar) < 1e-6;
}

bool is_sixth(const ImportedNode& node) {
  return is_with_scalar(node, "div", 6) || is_with_scalar(node, "mul", 1.0 / 6);
}

/// The value x of which a node is relu6(x + 3), or -1.
int hard_gate(const ImportedNetwork& network, int node) {
  if (network[node].op != "relu6") return -1;
  const ImportedNode& shifted = network[network[node].inputs[0]];
  return is_with_scalar(shifted, "add", 3) ? shifted.inputs[0] : -1;
}

void become(ImportedNode& node, const char* op, int input) {
  node.op = op, node.inputs = {input}, node.keys.clear();
}

void find_activation(ImportedNetwork& network, int index) {
  ImportedNode& node = network[index];
  if (is_sixth(node)) {
    const int inner = node.inputs[0];
    if (const int x = hard_gate(network, inner); x >= 0) return become(node, "hardsigmoid", x);
    const ImportedNode& product = network[inner];
    if (product.op == "mul" && product.inputs.size() == 2)
      for (int side : {0, 1})
        if (const int x = product.inputs[1 - static_cast<std::size_t>(side)];
            hard_gate(network, product.inputs[static_cast<std::size_t>(side)]) == x)
          return become(node, "hardswish", x);
  }
  if (node.op != "mul" || node.inputs.size() != 2) return;
  for (std::size_t side : {0, 1}) {
    const ImportedNode& gate = network[node.inputs[side]];
    const int x = node.inputs[1 - side];
    if ((gate.op != "sigmoid" && gate.op != "hardsigmoid") || gate.inputs[0] != x) continue;
    return become(node, gate.op == "sigmoid" ? "silu" : "hardswish", x);
  }
}

/// Zeros around the input of a convolution are its padding.
void merge_pad(ImportedNetwork& network, int index, int pad_index) {
  ImportedNode& conv = network[index];
  const auto pad = std::get<PadParams>(params_of(network[pad_index]));
  const Padding own = std::get<Conv2dParams>(params_of(conv)).padding;
  if (pad.value != 0 || own.same) return;
  conv.inputs[0] = network[pad_index].inputs[0];
  std::erase_if(conv.keys, [](const auto& key) { return key.first == "padding"; });
  conv.keys.emplace_back("padding", padding_of(own.top + pad.top, own.left + pad.left,
                                               own.bottom + pad.bottom, own.right + pad.right));
}

}  // namespace

Tail leave_tail_to_engine(ImportedNetwork& network) {
  Tail tail;
  auto last = [&]() -> const ImportedNode& { return network[network.output]; };
  auto drop = [&](std::string_view op) {
    if (last().op == op) network.output = last().inputs[0];
  };
  drop("argmax");
  drop("softmax");
  drop("sigmoid");
  const Shape& input = network[0].shape;
  if (last().op == "resize" && last().shape.h == input.h && last().shape.w == input.w) {
    const auto resize = std::get<ResizeParams>(params_of(last()));
    if (resize.mode == ResizeMode::bilinear) {
      tail = {true, resize.coordinates == ResizeCoordinates::align_corners};
      drop("resize");
    }
  }
  if (last().shape.c == 1 && network.output != 0) {
    const int logit = network.output;
    const int background = network.add("background", "mul", {logit}, {{"scalar", number(0.0F)}});
    network.output = network.add("logits", "concat", {background, logit});
  }
  return tail;
}

void simplify(ImportedNetwork& network) {
  for (int i = 1; i < network.size(); ++i) find_activation(network, i);
  for (int i = 1; i < network.size(); ++i)
    if (network[i].op == "conv2d")
      if (const int input = network[i].inputs[0]; network[input].op == "pad") merge_pad(network, i, input);
  network.prune();
}

}  // namespace atrous
