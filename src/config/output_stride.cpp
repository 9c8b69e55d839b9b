// SPDX-License-Identifier: Apache-2.0
#include "config/output_stride.h"

#include <algorithm>
#include <map>
#include <string>

#include "core/error.h"

namespace atrous {
namespace {

/// How far apart a value's pixels lie in the input, and how far apart they would lie had no stride been lost.
struct Spacing {
  std::int64_t stride = 1, rate = 1;
};

bool has_window(std::string_view op) { return op == "conv2d" || op == "max_pool" || op == "average_pool"; }

Value& field(Value& map, const std::string& key) {
  for (auto& [name, value] : map.fields)
    if (name == key) return value;
  return map.fields.emplace_back(key, Value::text("1")).second;
}

/// Multiplies a number or each of a list of numbers; words ("same") stay.
void multiply(Value& value, std::int64_t factor) {
  for (Value& item : value.items) multiply(item, factor);
  if (const auto number = parse_integer(value.scalar)) value.scalar = std::to_string(*number * factor);
}

/// The stride of a window; 1 where none is given.
std::int64_t stride_of(const NodeSpec& node) {
  const Value* given = node.params.find("stride");
  if (given == nullptr) return 1;
  const Value& first = given->items.empty() ? *given : given->items.front();
  const auto stride = parse_integer(first.scalar);
  const bool square = std::all_of(given->items.begin(), given->items.end(),
                                  [&](const Value& item) { return item.scalar == first.scalar; });
  if (!stride || *stride < 1 || !square)
    fail(ErrorCode::bad_config, "{}: node '{}': an output stride needs one whole number as 'stride'",
         to_string(given->where), node.name);
  return *stride;
}

Spacing rewrite(NodeSpec& node, Spacing in, int output_stride) {
  const std::int64_t stride = stride_of(node);
  if (in.rate > 1) {
    multiply(field(node.params, "dilation"), in.rate);
    if (node.params.find("padding") != nullptr) multiply(field(node.params, "padding"), in.rate);
  }
  if (in.stride * stride <= output_stride) return {in.stride * stride, in.rate};
  if (in.stride != output_stride)
    fail(ErrorCode::bad_config, "{}: node '{}': its stride {} passes the output stride {} (from {})",
         to_string(node.params.where), node.name, stride, output_stride, in.stride);
  field(node.params, "stride") = Value::text("1");
  return {in.stride, in.rate * stride};
}

}  // namespace

void apply_output_stride(std::vector<NodeSpec>& nodes, int output_stride, std::string_view prefix) {
  std::map<std::string, Spacing, std::less<>> spacings;
  for (NodeSpec& node : nodes) {
    if (!node.name.starts_with(prefix)) continue;
    Spacing spacing;
    for (const std::string& input : node.inputs)
      if (const auto found = spacings.find(input); found != spacings.end())
        spacing = {std::max(spacing.stride, found->second.stride),
                   std::max(spacing.rate, found->second.rate)};
    spacings[node.name] = has_window(node.op) ? rewrite(node, spacing, output_stride) : spacing;
  }
  if (spacings.empty())
    fail(ErrorCode::bad_config, "an output stride is given, but no node lies in '{}'", prefix);
}

}  // namespace atrous
