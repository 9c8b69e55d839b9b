// SPDX-License-Identifier: Apache-2.0
#include "core/error.h"
#include "import/translations.h"

namespace atrous {

void translate_identity(NodeContext& c) { c.pass(c.value(0).layout); }

/// Reshape, Flatten, Squeeze and Unsqueeze compute nothing, but say how the value lies from here on.
void translate_reshape(NodeContext& c) {
  const Dims dims = c.dims(0);
  const std::string& op = c.onnx.op;
  Dims target;
  if (op == "Reshape") {
    if (c.constant(1) == nullptr) NodeContext::refuse("a shape that is constant or made of extents");
    target = reshaped_dims(dims, c.constant(1)->read_wholes(), c.onnx.integer("allowzero", 0) != 0);
  } else if (op == "Flatten") {
    target = flattened_dims(dims, c.onnx.integer("axis", 1));
  } else if (op == "Squeeze") {
    target = squeezed_dims(dims, axes_of(c.onnx, c.constants(), 1, "axes"));
  } else {
    target = unsqueezed_dims(dims, axes_of(c.onnx, c.constants(), 1, "axes").value_or(Dims()));
  }
  if (target == dims) return c.pass(c.value(0).layout);
  const std::optional<Layout> layout = c.value(0).layout.reshaped(c.shape(0), target);
  if (!layout)
    NodeContext::refuse(fmt::format("a reshape that keeps channels, height and width whole, not {} to {}",
                                    dims_to_string(dims), dims_to_string(target)));
  c.pass(*layout);
}

void translate_transpose(NodeContext& c) {
  const Layout layout = c.value(0).layout;
  c.pass(layout.transposed(checked_permutation(c.onnx.integers("perm"), layout.rank())));
}

/// From height and width 1 to those of another value, as a pyramid's pooled branch has it.
void translate_expand(NodeContext& c) {
  if (c.constant(1) == nullptr) NodeContext::refuse("a shape that is constant or made of extents");
  const Dims dims = c.dims(0), target = broadcast_dims(dims, c.constant(1)->read_wholes());
  const OnnxValue x = c.value(0);
  const Shape in = c.shape(0);
  Shape out = in;
  for (std::size_t i = 0; i < target.size(); ++i) {
    const std::size_t from = i + dims.size() - target.size();
    const bool is_new = target.size() - i > dims.size();
    if (target[i] == (is_new ? 1 : dims[from])) continue;
    const char letter = is_new ? '1' : c.letter(0, static_cast<std::int64_t>(from));
    if (letter == 'h')
      out.h = target[i];
    else if (letter == 'w')
      out.w = target[i];
    else
      NodeContext::refuse("one that widens height and width of a value [n,c,1,1]");
  }
  if (target.size() != dims.size()) NodeContext::refuse("one that adds no axes");
  if (out == in) return c.pass(x.layout);
  if (in.h != 1 || in.w != 1) NodeContext::refuse("one that widens height and width of a value [n,c,1,1]");
  const bool usual = x.layout.is(in, {"n", "c", "h", "w"});
  c.result(c.emit("resize", {x.node}, {{"size", pair_of(out.h, out.w)}}), usual ? Layout::nchw() : x.layout);
}

}  // namespace atrous
