// SPDX-License-Identifier: Apache-2.0
#include "ops/cost.h"

namespace atrous {
namespace {

constexpr std::string_view kNames[] = {"reduce_mean"};

OpParams parse(std::string_view, Fields& fields) {
  const std::string axes = fields.text("axes", "spatial");
  if (axes != "spatial" && axes != "channels")
    fields.complain("'axes' must be spatial or channels, not '" + axes + "'");
  return ReduceMeanParams{axes == "spatial"};
}

std::vector<ConstantSpec> constants(const OpParams&, std::span<const Shape>) { return {}; }

Shape infer_shape(const OpParams& params, std::span<const Shape> inputs) {
  const Shape& in = inputs[0];
  return std::get<ReduceMeanParams>(params).over_hw ? Shape{in.n, 1, 1, in.c} : Shape{in.n, in.h, in.w, 1};
}

Cost cost(const OpParams&, std::span<const Shape> inputs, const Shape& output) {
  return elementwise_cost(inputs, output,
                          static_cast<double>(inputs[0].elements()) / static_cast<double>(output.elements()));
}

}  // namespace

const OpSchema& schema_reduce_mean() {
  static constexpr OpSchema kSchema{"reduce_mean", kNames, 1, 1, parse, constants, infer_shape, cost};
  return kSchema;
}

}  // namespace atrous
