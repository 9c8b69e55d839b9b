// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/error.h"
#include "import/translations.h"

namespace atrous {
namespace {

constexpr const char* kAxisNames[] = {"channels", "height", "width"};

/// [begin, end) of one axis; end 0: to the end, below 0: from the end.
int emit_slice(NodeContext& c, int node, char letter, std::int64_t begin, std::int64_t end) {
  const std::size_t axis = std::string("chw").find(letter);
  if (axis == std::string::npos) NodeContext::refuse("a part of channels, height or width");
  Keys keys;
  if (axis != 0) keys.emplace_back("axis", Value::text(kAxisNames[axis]));
  if (begin != 0) keys.emplace_back("begin", number(begin));
  if (end != 0) keys.emplace_back("end", number(end));
  return c.emit("slice", {node}, std::move(keys));
}

}  // namespace

void translate_concat(NodeContext& c) {
  std::vector<int> nodes;
  Layout layout;
  const std::size_t axis = axis_index(c.onnx.integer("axis", 1), c.value(0).layout.rank());
  for (std::size_t i = 0; i < c.onnx.inputs.size(); ++i) {
    const OnnxValue& x = c.value(i);
    std::vector<std::string> letters;
    for (std::size_t a = 0; a < x.layout.rank(); ++a) letters.push_back(x.layout[a]);
    if (axis >= letters.size()) fail(ErrorCode::bad_file, "joins values of different ranks");
    if (x.layout.axis_of(c.shape(i), 'c').value_or(axis) != axis ||
        (letters[axis] != "c" && !letters[axis].empty()))
      NodeContext::refuse(fmt::format("channels as axis, not axis {} of [{}]", axis, to_string(x.layout)));
    letters[axis] = "c";
    if (i == 0) layout = Layout(letters);
    Shape shape = c.shape(i);
    const Shape& first = c.shape(0);
    std::vector<std::string> wanted;
    for (std::size_t a = 0; a < layout.rank(); ++a) wanted.push_back(layout[a]);
    shape.c = first.c;  // the only extent that may differ
    if (!Layout(letters).is(shape, wanted))
      NodeContext::refuse(
          fmt::format("values that lie alike, not [{}] and [{}]", to_string(layout), to_string(x.layout)));
    nodes.push_back(x.node);
  }
  c.result(nodes.size() == 1 ? nodes[0] : c.emit("concat", nodes), layout);
}

void translate_slice(NodeContext& c) {
  const OnnxValue x = c.value(0);
  const std::vector<SliceRange> ranges = slice_ranges(c.onnx, c.constants(), c.dims(0));
  const Dims ends = axes_of(c.onnx, c.constants(), 2, "ends").value_or(Dims());
  int node = x.node;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const auto& [axis, begin, step, count] = ranges[i];
    const std::int64_t extent = c.dims(0)[axis];
    if (step != 1) NodeContext::refuse("steps of 1");
    if (count == 0) fail(ErrorCode::bad_file, "takes nothing of axis {}", axis);
    if (count == extent) continue;
    const std::int64_t end = begin + count == extent ? 0 : ends[i] < 0 ? ends[i] : begin + count;
    node = emit_slice(c, node, c.letter(0, static_cast<std::int64_t>(axis)), begin, end);
  }
  c.result(node, x.layout);
}

void translate_split(NodeContext& c) {
  const OnnxValue x = c.value(0);
  const std::size_t axis = axis_index(c.onnx.integer("axis", 0), x.layout.rank());
  const std::int64_t extent = c.dims(0)[axis];
  const char letter = c.letter(0, static_cast<std::int64_t>(axis));
  const Dims sizes = split_sizes(c.onnx, c.constants(), extent);
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const std::int64_t end = begin + sizes[i];
    if (sizes[i] == 0) NodeContext::refuse("parts that are not empty");
    c.result(sizes[i] == extent ? x.node : emit_slice(c, x.node, letter, begin, end == extent ? 0 : end),
             x.layout, i);
    begin = end;
  }
}

void translate_pad(NodeContext& c) {
  const OnnxValue x = c.value(0);
  if (c.onnx.text("mode", "constant") != "constant") NodeContext::refuse("mode constant");
  const std::size_t rank = x.layout.rank();
  const Dims pads = axes_of(c.onnx, c.constants(), 1, "pads").value_or(Dims());
  Dims axes = axes_of(c.onnx, c.constants(), 3, "axes").value_or(Dims());
  if (c.constant(3) == nullptr)
    for (std::size_t i = 0; i < rank; ++i) axes.push_back(static_cast<std::int64_t>(i));
  if (pads.size() != 2 * axes.size())
    fail(ErrorCode::bad_file, "has {} pads for {} axes", pads.size(), axes.size());
  std::int64_t sides[4] = {0, 0, 0, 0};  // top, left, bottom, right
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::int64_t before = pads[i], after = pads[i + axes.size()];
    if (before == 0 && after == 0) continue;
    const char letter = c.letter(0, axes[i]);
    if ((letter != 'h' && letter != 'w') || before < 0 || after < 0)
      NodeContext::refuse("padding of height and width, from 0");
    sides[letter == 'h' ? 0 : 1] = before, sides[letter == 'h' ? 2 : 3] = after;
  }
  float value = c.onnx.real("value", 0);
  if (c.onnx.has_input(2)) {
    if (c.constant(2) == nullptr || c.constant(2)->count() != 1)
      NodeContext::refuse("one constant to pad with");
    value = static_cast<float>(c.constant(2)->at(0));
  }
  if (std::all_of(std::begin(sides), std::end(sides), [](std::int64_t side) { return side == 0; }))
    return c.pass(x.layout);
  Keys keys{{"padding", padding_of(sides[0], sides[1], sides[2], sides[3])}};
  if (value != 0) keys.emplace_back("value", number(value));
  c.result(c.emit("pad", {x.node}, std::move(keys)), x.layout);
}

}  // namespace atrous
