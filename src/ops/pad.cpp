// SPDX-License-Identifier: Apache-2.0
#include "ops/cost.h"
#include "ops/window.h"

namespace atrous {
namespace {

constexpr std::string_view kNames[] = {"pad"};

OpParams parse(std::string_view, Fields& fields) {
  fields.require("padding");
  const Padding padding = parse_padding(fields, 0, 0);
  if (padding.same) fields.complain("'padding' must be numbers here");
  return PadParams{padding.top, padding.left, padding.bottom, padding.right,
                   static_cast<float>(fields.number("value", 0))};
}

std::vector<ConstantSpec> constants(const OpParams&, std::span<const Shape>) { return {}; }

Shape infer_shape(const OpParams& params, std::span<const Shape> inputs) {
  const auto& p = std::get<PadParams>(params);
  const Shape& in = inputs[0];
  return {in.n, in.h + p.top + p.bottom, in.w + p.left + p.right, in.c};
}

Cost cost(const OpParams&, std::span<const Shape> inputs, const Shape& output) {
  return elementwise_cost(inputs, output, 0);
}

}  // namespace

const OpSchema& schema_pad() {
  static constexpr OpSchema kSchema{"pad", kNames, 1, 1, parse, constants, infer_shape, cost};
  return kSchema;
}

}  // namespace atrous
