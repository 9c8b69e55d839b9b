// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/error.h"
#include "import/translations.h"

namespace atrous {
namespace {

constexpr std::int64_t kMostWindow = 65536;

/// Two numbers of an attribute, h and w; 1 where it is not given.
std::pair<std::int64_t, std::int64_t> two(const OnnxNode& node, std::string_view attribute) {
  const Dims given = node.integers(attribute);
  if (given.empty()) return {1, 1};
  if (given.size() != 2 || given[0] < 1 || given[1] < 1 || given[0] > kMostWindow || given[1] > kMostWindow)
    NodeContext::refuse(fmt::format("two numbers from 1 as {}, for height and width", attribute));
  return {given[0], given[1]};
}

/// The padding that makes out = ceil(in / stride), the odd element in front.
std::pair<std::int64_t, std::int64_t> same_lower(std::int64_t in, std::int64_t k, std::int64_t s,
                                                 std::int64_t d) {
  const std::int64_t total = std::max<std::int64_t>(0, ((in + s - 1) / s - 1) * s + d * (k - 1) + 1 - in);
  return {total - total / 2, total / 2};
}

/// [out, in] weights of a dense layer for the value [n, c, h, w] that Flatten made [n, chw]; adds `bias`
/// where given.
void emit_dense(NodeContext& c, const Array& weight, const Array* bias) {
  const std::string order = c.value(0).layout.used(c.shape(0), 1);
  if (!c.value(0).layout.used(c.shape(0), 0).empty()) NodeContext::refuse("an input of [n, features]");
  if (!std::is_sorted(order.begin(), order.end(),
                      [](char a, char b) { return std::string("chw").find(a) < std::string("chw").find(b); }))
    NodeContext::refuse(fmt::format("features that are flattened in the order c, h, w, not '{}'", order));
  Keys keys{{"out", number(weight.dims()[0])}};
  std::vector<TensorRef> tensors{named(weight, "weight")};
  if (bias != nullptr)
    tensors.push_back(named(*bias, "bias"));
  else
    keys.emplace_back("bias", Value::text("false"));
  c.result(c.emit("fully_connected", {c.value(0).node}, std::move(keys), std::move(tensors)),
           Layout({"n", "c"}));
}

Array transposed(const Array& matrix) {
  return matrix.strided({matrix.dims()[1], matrix.dims()[0]}, {1, matrix.dims()[1]}, 0);
}

Array scaled(const Array& array, float factor) {
  if (factor == 1) return array;
  std::vector<float> values = array.read();
  for (float& value : values) value *= factor;
  return Array::reals(array.dims(), std::move(values));
}

}  // namespace

Window window_of(const NodeContext& c, const Dims& kernel) {
  Window w;
  const Dims shape = c.onnx.integers("kernel_shape");
  if (kernel.size() != 2 || (!shape.empty() && shape != kernel))
    NodeContext::refuse("a kernel of two dimensions that kernel_shape agrees with");
  w.kh = kernel[0], w.kw = kernel[1];
  if (std::min(w.kh, w.kw) < 1 || std::max(w.kh, w.kw) > kMostWindow)
    NodeContext::refuse("a kernel of 1 to 65536");
  std::tie(w.sh, w.sw) = two(c.onnx, "strides");
  std::tie(w.dh, w.dw) = two(c.onnx, "dilations");
  const std::string rule = c.onnx.text("auto_pad", "NOTSET");
  const Shape& in = c.shape(0);
  if (rule == "SAME_UPPER") {
    w.same = true;
  } else if (rule == "SAME_LOWER") {
    std::tie(w.top, w.bottom) = same_lower(in.h, w.kh, w.sh, w.dh);
    std::tie(w.left, w.right) = same_lower(in.w, w.kw, w.sw, w.dw);
  } else if (rule == "NOTSET") {
    const Dims pads = c.onnx.integers("pads");
    if (!pads.empty() && pads.size() != 4) NodeContext::refuse("four pads");
    if (!pads.empty()) w.top = pads[0], w.left = pads[1], w.bottom = pads[2], w.right = pads[3];
    if (std::min({w.top, w.left, w.bottom, w.right}) < 0) NodeContext::refuse("padding from 0");
  } else if (rule != "VALID") {
    NodeContext::refuse("auto_pad NOTSET, VALID, SAME_UPPER or SAME_LOWER");
  }
  return w;
}

void Window::add_to(Keys& keys, bool is_conv) const {
  if (kh != 1 || kw != 1 || !is_conv) keys.emplace_back("kernel", pair_of(kh, kw));
  if (sh != 1 || sw != 1) keys.emplace_back("stride", pair_of(sh, sw));
  if (dh != 1 || dw != 1) keys.emplace_back("dilation", pair_of(dh, dw));
  const std::int64_t auto_h = is_conv ? dh * (kh - 1) / 2 : 0, auto_w = is_conv ? dw * (kw - 1) / 2 : 0;
  const bool usual = top == auto_h && bottom == auto_h && left == auto_w && right == auto_w;
  if (same)
    keys.emplace_back("padding", Value::text("same"));
  else if (!usual)
    keys.emplace_back("padding", padding_of(top, left, bottom, right));
}

void translate_conv(NodeContext& c) {
  const OnnxValue& x = c.image(0);
  const Array& weight = c.weights(1, 4);
  const Dims& dims = weight.dims();
  const Window window = window_of(c, {dims[2], dims[3]});
  const std::int64_t groups = c.onnx.integer("group", 1), channels = c.shape(0).c;
  if (groups < 1 || channels % groups != 0 || channels / groups != dims[1])
    fail(ErrorCode::bad_file, "{} groups of weights {} do not fit {} input channels", groups,
         dims_to_string(dims), channels);
  const bool depthwise = groups == channels && groups > 1;
  Keys keys;
  if (!depthwise || dims[0] != channels) keys.emplace_back("out", number(dims[0]));
  std::vector<TensorRef> tensors{named(weight, "weight")};
  const bool bias = c.onnx.has_input(2);
  if (bias) tensors.push_back(named(c.weights(2, 1), "bias"));
  window.add_to(keys, true);
  if (groups > 1) keys.emplace_back("groups", depthwise ? Value::text("depthwise") : number(groups));
  if (bias) keys.emplace_back("bias", Value::text("true"));
  c.result(c.emit("conv2d", {x.node}, std::move(keys), std::move(tensors)), Layout::nchw());
}

void translate_conv_transpose(NodeContext&) {
  NodeContext::refuse(
      "an upsampling that is a Resize with convolutions; the engine has no transposed convolution");
}

void translate_gemm(NodeContext& c) {
  if (c.dims(0).size() != 2 || c.onnx.integer("transA", 0) != 0)
    NodeContext::refuse("[n, features] times a constant");
  const Array& b = c.weights(1, 2);
  const Array weight = scaled(c.onnx.integer("transB", 0) != 0 ? b : transposed(b), c.onnx.real("alpha", 1));
  if (!c.onnx.has_input(2)) return emit_dense(c, weight, nullptr);
  const Array* given = c.constant(2);
  const std::int64_t out = weight.dims()[0];
  if (given == nullptr || given->is_whole() || (given->count() != out && given->count() != 1) ||
      (given->count() > 1 && given->dims().back() != out))
    NodeContext::refuse("a constant with a number an output");
  const Array bias = scaled(given->strided({out}, {given->count() == 1 ? 0 : 1}, 0), c.onnx.real("beta", 1));
  emit_dense(c, weight, &bias);
}

void translate_matmul(NodeContext& c) {
  const Array weight = transposed(c.weights(1, 2));
  const Dims dims = c.dims(0);
  if (dims.size() == 2) return emit_dense(c, weight, nullptr);
  const Layout& layout = c.value(0).layout;
  if (dims.size() < 2 || layout.axis_of(c.shape(0), 'c') != dims.size() - 1)
    NodeContext::refuse("a value whose last axis is channels, times a constant");
  std::vector<TensorRef> tensors{
      named(weight.reshaped({weight.dims()[0], weight.dims()[1], 1, 1}), "weight")};
  c.result(c.emit("conv2d", {c.value(0).node}, {{"out", number(weight.dims()[0])}}, std::move(tensors)),
           layout);
}

}  // namespace atrous
