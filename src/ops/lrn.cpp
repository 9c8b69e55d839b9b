// SPDX-License-Identifier: Apache-2.0
#include "ops/cost.h"

namespace atrous {
namespace {

constexpr std::string_view kNames[] = {"lrn"};

OpParams parse(std::string_view, Fields& fields) {
  LrnParams p;
  p.size = static_cast<int>(fields.integer_in("size", 1, 1023, 5));
  if (p.size % 2 == 0) fields.complain("'size' must be odd");
  p.alpha = static_cast<float>(fields.number("alpha", 1e-4));
  p.beta = static_cast<float>(fields.number("beta", 0.75));
  p.k = static_cast<float>(fields.number("k", 1));
  if (!(p.k > 0) || p.alpha < 0) fields.complain("'k' must be above 0 and 'alpha' not below");
  return p;
}

std::vector<ConstantSpec> constants(const OpParams&, std::span<const Shape>) { return {}; }

Shape infer_shape(const OpParams&, std::span<const Shape> inputs) { return inputs[0]; }

Cost cost(const OpParams& params, std::span<const Shape> inputs, const Shape& output) {
  return elementwise_cost(inputs, output, 2.0 * std::get<LrnParams>(params).size + 3);
}

}  // namespace

const OpSchema& schema_lrn() {
  static constexpr OpSchema kSchema{"lrn", kNames, 1, 1, parse, constants, infer_shape, cost};
  return kSchema;
}

}  // namespace atrous
