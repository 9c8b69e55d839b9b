// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "core/error.h"
#include "core/text.h"
#include "import/translations.h"

namespace atrous {
namespace {

/// An operand so far of a chain of sums, maxima or minima: a node and how it lies.
struct Operand {
  int node;
  Layout layout;
};

Operand with_number(NodeContext& c, const std::string& op, const Operand& x, float value, bool swapped) {
  auto scalar = [&](const std::string& kind, int node, float by) {
    const bool nothing = (kind == "add" && by == 0) || (kind == "mul" && by == 1);
    return nothing ? node : c.emit(kind, {node}, {{"scalar", number(by)}});
  };
  if (op == "div" && swapped)
    NodeContext::refuse("division of a value by a constant, not of a constant by a value");
  if (op == "sub")
    return {scalar("add", swapped ? scalar("mul", x.node, -1) : x.node, swapped ? value : -value), x.layout};
  if (op == "div" && value == 1) return x;
  return {scalar(op, x.node, value), x.layout};
}

/// Arithmetic with a constant a channel, as the batch norm that it is (the engine folds it away).
Operand with_channels(NodeContext& c, const std::string& op, const Operand& x,
                      const std::vector<float>& values, bool swapped) {
  constexpr float kEps = 1e-5F;  // the config format's default
  const auto count = static_cast<std::int64_t>(values.size());
  std::vector<float> weight(values.size(), 1), bias(values.size(), 0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (op == "mul") weight[i] = values[i];
    if (op == "add") bias[i] = values[i];
    if (op == "sub") weight[i] = swapped ? -1.0F : 1.0F, bias[i] = swapped ? values[i] : -values[i];
    if (op == "div") weight[i] = 1 / values[i];
  }
  if (op == "max" || op == "min" || (op == "div" && swapped))
    NodeContext::refuse("Add, Sub, Mul or Div by it, where a constant has a number a channel");
  std::vector<TensorRef> tensors;
  auto add = [&](const char* name, std::vector<float> content) {
    tensors.push_back(make_tensor_ref(name, {count}, std::move(content)));
  };
  add("weight", std::move(weight));
  add("bias", std::move(bias));
  add("running_mean", std::vector<float>(values.size(), 0));
  add("running_var", std::vector<float>(values.size(), 1 - kEps));
  return {c.emit("batch_norm", {x.node}, {}, std::move(tensors)), x.layout};
}

Operand with_constant(NodeContext& c, const std::string& op, const Operand& x, const Array& constant,
                      bool swapped) {
  const Shape shape = c.network[x.node].shape;
  const Dims dims = x.layout.dims(shape);
  if (broadcast_dims(dims, constant.dims()) != dims)
    NodeContext::refuse("a constant no larger than the value it meets");
  if (constant.count() == 1) return with_number(c, op, x, static_cast<float>(constant.at(0)), swapped);
  for (std::size_t back = 1; back <= constant.dims().size(); ++back)
    if (constant.dims()[constant.dims().size() - back] != 1 &&
        x.layout.used(shape, dims.size() - back) != "c")
      NodeContext::refuse(fmt::format("a constant of one number, or one a channel, not of {}",
                                      dims_to_string(constant.dims())));
  return with_channels(c, op, x, constant.read(), swapped);
}

Operand with_value(NodeContext& c, const std::string& op, const Operand& a, const Operand& b) {
  const auto layout = Layout::broadcast(a.layout, c.network[a.node].shape, b.layout, c.network[b.node].shape);
  if (!layout)
    NodeContext::refuse(fmt::format("two values that lie alike, not [{}] and [{}]", to_string(a.layout),
                                    to_string(b.layout)));
  return {c.emit(op, {a.node, b.node}), *layout};
}

}  // namespace

void translate_binary(NodeContext& c) {
  const std::string op = c.onnx.op == "Sum" ? "add" : lower(c.onnx.op);
  const std::size_t count = c.onnx.inputs.size();
  const bool fixed = op == "sub" || op == "mul" || op == "div" || c.onnx.op == "Add";
  if (count == 0 || (fixed && count != 2)) fail(ErrorCode::bad_file, "has {} inputs", count);
  std::size_t first = 0;  // computed; constants before it come after it, which only Sub and Div mind
  while (c.constant(first) != nullptr) ++first;
  Operand x{c.value(first).node, c.value(first).layout};
  for (std::size_t i = 0; i < count; ++i) {
    if (i == first) continue;
    if (const Array* constant = c.constant(i))
      x = with_constant(c, op, x, *constant, i < first);
    else
      x = with_value(c, op, x, {c.value(i).node, c.value(i).layout});
  }
  c.result(x.node, x.layout);
}

void translate_activation(NodeContext& c) {
  c.result(c.emit(lower(c.onnx.op), {c.value(0).node}), c.value(0).layout);
}

void translate_leaky_relu(NodeContext& c) {
  c.result(c.emit("leaky_relu", {c.value(0).node}, {{"slope", number(c.onnx.real("alpha", 0.01F))}}),
           c.value(0).layout);
}

void translate_gelu(NodeContext& c) {
  const std::string form = c.onnx.text("approximate", "none");
  if (form != "none" && form != "tanh") NodeContext::refuse("approximate 'none' or 'tanh'");
  c.result(c.emit("gelu", {c.value(0).node},
                  form == "tanh" ? Keys{{"approximation", Value::text("tanh")}} : Keys{}),
           c.value(0).layout);
}

/// max(0, min(1, alpha * x + beta)); the engine's own is that of 1/6 and 1/2.
void translate_hard_sigmoid(NodeContext& c) {
  const float alpha = c.onnx.real("alpha", 0.2F), beta = c.onnx.real("beta", 0.5F);
  const OnnxValue x = c.value(0);
  if (std::abs(alpha - 1.0F / 6) < 1e-6F && beta == 0.5F)
    return c.result(c.emit("hardsigmoid", {x.node}), x.layout);
  const int scaled = c.emit("mul", {x.node}, {{"scalar", number(alpha)}});
  const int shifted = c.emit("add", {scaled}, {{"scalar", number(beta)}});
  c.result(c.emit("clip", {shifted}, {{"min", number(0.0F)}, {"max", number(1.0F)}}), x.layout);
}

void translate_clip(NodeContext& c) {
  auto bound = [&](std::size_t input, const char* attribute, float none) {
    if (!c.onnx.has_input(input)) return c.onnx.real(attribute, none);
    const Array* constant = c.constant(input);
    if (constant == nullptr || constant->count() != 1) NodeContext::refuse("bounds that are constants");
    return static_cast<float>(constant->at(0));
  };
  constexpr float kNone = 1e38F;  // exporters write the largest float for no bound
  const float low = bound(1, "min", -2 * kNone), high = bound(2, "max", 2 * kNone);
  const OnnxValue x = c.value(0);
  int node = x.node;
  if (low == 0 && high == 6)
    node = c.emit("relu6", {node});
  else if (low == 0 && high > kNone)
    node = c.emit("relu", {node});
  else if (low >= -kNone && high <= kNone)
    node = c.emit("clip", {node}, {{"min", number(low)}, {"max", number(high)}});
  else if (low >= -kNone)
    node = c.emit("max", {node}, {{"scalar", number(low)}});
  else if (high <= kNone)
    node = c.emit("min", {node}, {{"scalar", number(high)}});
  c.result(node, x.layout);
}

/// Between real types a cast is nothing, as all is computed in the device's own; class ids may become
/// anything.
void translate_cast(NodeContext& c) {
  const std::int64_t to = c.onnx.integer("to", 1);
  const bool real = to == 1 || to == 10 || to == 11 || to == 16,
             ids = c.network[c.value(0).node].op == "argmax";
  if (!real && !ids) NodeContext::refuse("a cast to real numbers, or one of class ids");
  c.pass(c.value(0).layout);
}

}  // namespace atrous
