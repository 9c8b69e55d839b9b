// SPDX-License-Identifier: Apache-2.0
#include "core/error.h"
#include "import/translations.h"

namespace atrous {

void translate_pool(NodeContext& c) {
  const OnnxValue& x = c.image(0);
  const bool average = c.onnx.op == "AveragePool";
  if (c.onnx.outputs.size() > 1 && !c.onnx.outputs[1].empty()) NodeContext::refuse("a pool without indices");
  const Window window = window_of(c, c.onnx.integers("kernel_shape"));
  const std::string kind = average ? "average_pool" : "max_pool";
  const Shape& in = c.shape(0);
  const bool padded = window.same || window.top + window.left + window.bottom + window.right > 0;
  if (window.kh == in.h && window.kw == in.w && !padded && window.dh == 1 && window.dw == 1)
    return c.result(c.emit("global_" + kind, {x.node}), x.layout);
  Keys keys;
  window.add_to(keys, false);
  if (c.onnx.integer("ceil_mode", 0) != 0) keys.emplace_back("ceil_mode", Value::text("true"));
  if (average && padded && c.onnx.integer("count_include_pad", 0) != 0)
    keys.emplace_back("count_include_pad", Value::text("true"));
  c.result(c.emit(kind, {x.node}, std::move(keys)), x.layout);
}

void translate_global_pool(NodeContext& c) {
  const OnnxValue& x = c.image(0);
  c.result(c.emit(c.onnx.op == "GlobalMaxPool" ? "global_max_pool" : "global_average_pool", {x.node}),
           x.layout);
}

void translate_reduce(NodeContext& c) {
  const OnnxValue& x = c.value(0);
  const std::size_t rank = x.layout.rank();
  std::vector<bool> gone(rank);
  for (std::int64_t axis : axes_of(c.onnx, c.constants(), 1, "axes").value_or(Dims()))
    gone[axis_index(axis, rank)] = true;
  std::string reduced, kept;
  std::vector<std::string> letters;
  const bool keep = c.onnx.integer("keepdims", 1) != 0;
  for (std::size_t i = 0; i < rank; ++i) {
    (gone[i] ? reduced : kept) += x.layout.used(c.shape(0), i);
    if (gone[i] && x.layout[i] == "n") reduced += 'n';
    if (!gone[i] || keep) letters.push_back(x.layout[i]);
  }
  const bool channels = reduced == "c";
  const bool spatial = !reduced.empty() && !channels && kept.find_first_of("hw") == std::string::npos &&
                       reduced.find_first_not_of("hw") == std::string::npos;
  const bool mean = c.onnx.op == "ReduceMean";
  if (!spatial && (!channels || !mean))
    NodeContext::refuse(mean ? "height and width, or channels, as axes" : "height and width as axes");
  const int node =
      !mean ? c.emit("global_max_pool", {x.node})
            : c.emit("reduce_mean", {x.node}, channels ? Keys{{"axes", Value::text("channels")}} : Keys{});
  c.result(node, Layout(std::move(letters)));
}

}  // namespace atrous
