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

/// What no stride, rate or padding that can run comes near, and whose product with another fits 64 bits.
constexpr std::int64_t kMost = std::int64_t{1} << 31;

[[noreturn]] void complain(const NodeSpec& node, const SourceLocation& where, const std::string& reason) {
  const std::string place = to_string(where);
  fail(ErrorCode::bad_config, "{}{}node '{}': {}", place, place.empty() ? "" : ": ", node.name, reason);
}

/// Multiplies a number or each of a list of numbers; words ("same") stay.
void multiply(Value& value, std::int64_t factor, const NodeSpec& node) {
  for (Value& item : value.items) multiply(item, factor, node);
  const auto number = parse_integer(value.scalar);
  if (!number) return;
  if (*number < -kMost || *number > kMost) complain(node, value.where, value.scalar + " is out of range");
  value.scalar = std::to_string(*number * factor);
}

/// The stride of a window; 1 where none is given.
std::int64_t stride_of(const NodeSpec& node) {
  const Value* given = node.params.find("stride");
  if (given == nullptr) return 1;
  const Value& first = given->items.empty() ? *given : given->items.front();
  const auto stride = parse_integer(first.scalar);
  const bool square = std::all_of(given->items.begin(), given->items.end(),
                                  [&](const Value& item) { return item.scalar == first.scalar; });
  if (!stride || *stride < 1 || *stride > kMost || !square)
    complain(node, given->where, "an output stride needs one whole number as 'stride'");
  return *stride;
}

Spacing rewrite(NodeSpec& node, Spacing in, int output_stride) {
  const std::int64_t stride = stride_of(node);
  if (in.rate > 1) {
    multiply(field(node.params, "dilation"), in.rate, node);
    if (node.params.find("padding") != nullptr) multiply(field(node.params, "padding"), in.rate, node);
  }
  if (in.stride * stride <= output_stride) return {in.stride * stride, in.rate};
  if (in.stride != output_stride)
    complain(
        node, node.params.where,
        fmt::format("its stride {} passes the output stride {} (from {})", stride, output_stride, in.stride));
  if (in.rate * stride > kMost)
    complain(node, node.params.where, fmt::format("its stride {} makes a rate out of range", stride));
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
