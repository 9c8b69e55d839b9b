// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/error.h"
#include "import/translations.h"

namespace atrous {
namespace {

/// Refuses an operator over another axis than channels; `rest` where it takes all axes from this one on.
std::size_t channels_axis(NodeContext& c, std::int64_t axis, bool rest) {
  const std::size_t index = axis_index(axis, c.value(0).layout.rank());
  const Dims dims = c.dims(0);
  const bool others = rest && std::any_of(dims.begin() + static_cast<std::ptrdiff_t>(index) + 1, dims.end(),
                                          [](std::int64_t extent) { return extent != 1; });
  if (others || c.letter(0, axis) != 'c') NodeContext::refuse("the axis of channels");
  return index;
}

}  // namespace

void translate_batch_norm(NodeContext& c) {
  const OnnxValue& x = c.value(0);
  if (c.onnx.integer("training_mode", 0) != 0) NodeContext::refuse("training_mode 0");
  if (x.layout.rank() < 2 || c.letter(0, 1) != 'c') NodeContext::refuse("channels as axis 1");
  const float eps = c.onnx.real("epsilon", 1e-5F);
  Keys keys;
  if (eps != 1e-5F) keys.emplace_back("eps", number(eps));
  std::vector<TensorRef> tensors;
  std::size_t input = 1;
  for (const char* name : {"weight", "bias", "running_mean", "running_var"})
    tensors.push_back(named(c.weights(input++, 1), name));
  c.result(c.emit("batch_norm", {x.node}, std::move(keys), std::move(tensors)), x.layout);
}

void translate_lrn(NodeContext& c) {
  const OnnxValue& x = c.image(0);
  Keys keys{{"size", number(c.onnx.integer("size", 0))},
            {"alpha", number(c.onnx.real("alpha", 1e-4F))},
            {"beta", number(c.onnx.real("beta", 0.75F))},
            {"k", number(c.onnx.real("bias", 1))}};
  c.result(c.emit("lrn", {x.node}, std::move(keys)), x.layout);
}

/// The logarithm at the end changes no label and, normalised again, no probability.
void translate_softmax(NodeContext& c) {
  const bool rest = c.opset < 13;
  channels_axis(c, c.onnx.integer("axis", rest ? 1 : -1), rest);
  if (c.onnx.op == "Softmax")
    c.result(c.emit("softmax", {c.value(0).node}), c.value(0).layout);
  else if (c.makes_output)
    c.pass(c.value(0).layout);
  else
    NodeContext::refuse("one that makes the model's output");
}

void translate_argmax(NodeContext& c) {
  const std::size_t axis = channels_axis(c, c.onnx.integer("axis", 0), false);
  if (c.onnx.integer("select_last_index", 0) != 0) NodeContext::refuse("select_last_index 0");
  std::vector<std::string> letters;
  for (std::size_t i = 0; i < c.value(0).layout.rank(); ++i)
    if (i != axis || c.onnx.integer("keepdims", 1) != 0) letters.push_back(c.value(0).layout[i]);
  c.result(c.emit("argmax", {c.value(0).node}), Layout(std::move(letters)));
}

}  // namespace atrous
