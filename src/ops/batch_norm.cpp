// SPDX-License-Identifier: Apache-2.0
#include "ops/cost.h"

namespace atrous {
namespace {

constexpr std::string_view kNames[] = {"batch_norm"};

OpParams parse(std::string_view, Fields& fields) {
  BatchNormParams p;
  p.eps = static_cast<float>(fields.number("eps", 1e-5));
  if (!(p.eps > 0)) fields.complain("'eps' must be above 0");
  return p;
}

std::vector<ConstantSpec> constants(const OpParams&, std::span<const Shape> inputs) {
  const std::vector<std::int64_t> dims{inputs[0].c};
  return {{"weight", dims}, {"bias", dims}, {"running_mean", dims}, {"running_var", dims}};
}

Shape infer_shape(const OpParams&, std::span<const Shape> inputs) { return inputs[0]; }

Cost cost(const OpParams&, std::span<const Shape> inputs, const Shape& output) {
  return elementwise_cost(inputs, output, 2);
}

}  // namespace

const OpSchema& schema_batch_norm() {
  static constexpr OpSchema kSchema{"batch_norm", kNames, 1, 1, parse, constants, infer_shape, cost};
  return kSchema;
}

}  // namespace atrous
