// SPDX-License-Identifier: Apache-2.0
#include "core/error.h"
#include "ops/cost.h"

namespace atrous {
namespace {

constexpr std::string_view kNames[] = {"slice"};

OpParams parse(std::string_view, Fields& fields) {
  constexpr std::int64_t kMost = 1 << 30;
  SliceParams p;
  const std::string axis = fields.text("axis", "channels");
  if (axis != "channels" && axis != "height" && axis != "width")
    fields.complain("'axis' must be channels, height or width, not '" + axis + "'");
  p.axis = axis == "channels" ? Axis::c : axis == "height" ? Axis::h : Axis::w;
  p.begin = static_cast<int>(fields.integer_in("begin", 0, kMost, 0));
  p.end = static_cast<int>(fields.integer_in("end", -kMost, kMost, 0));
  return p;
}

std::vector<ConstantSpec> constants(const OpParams&, std::span<const Shape>) { return {}; }

Shape infer_shape(const OpParams& params, std::span<const Shape> inputs) {
  const auto& p = std::get<SliceParams>(params);
  Shape out = inputs[0];
  std::int64_t& extent = p.axis == Axis::c ? out.c : p.axis == Axis::h ? out.h : out.w;
  const std::int64_t end = p.end > 0 ? p.end : extent + p.end;
  if (end > extent || p.begin >= end)
    fail(ErrorCode::bad_config, "[{}, {}) is no part of an axis of {}", p.begin, end, extent);
  extent = end - p.begin;
  return out;
}

Cost cost(const OpParams&, std::span<const Shape>, const Shape& output) {
  return elementwise_cost(std::span(&output, 1), output, 0);
}

}  // namespace

const OpSchema& schema_slice() {
  static constexpr OpSchema kSchema{"slice", kNames, 1, 1, parse, constants, infer_shape, cost};
  return kSchema;
}

}  // namespace atrous
