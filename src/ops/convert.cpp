// SPDX-License-Identifier: Apache-2.0
#include "ops/cost.h"

namespace atrous {
namespace {

OpParams parse(std::string_view, Fields&) { return ConvertParams{}; }

std::vector<ConstantSpec> constants(const OpParams&, std::span<const Shape>) { return {}; }

Shape infer_shape(const OpParams&, std::span<const Shape> inputs) { return inputs[0]; }

Cost cost(const OpParams&, std::span<const Shape> inputs, const Shape& output) {
  return elementwise_cost(inputs, output, 0);
}

}  // namespace

const OpSchema& schema_convert() {
  static constexpr OpSchema kSchema{"convert", {}, 1, 1, parse, constants, infer_shape, cost};
  return kSchema;
}

}  // namespace atrous
