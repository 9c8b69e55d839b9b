// SPDX-License-Identifier: Apache-2.0
#include "ops/cost.h"

namespace atrous {
namespace {

constexpr std::string_view kNames[] = {"input"};

OpParams parse(std::string_view, Fields&) { return InputParams{}; }

std::vector<ConstantSpec> constants(const OpParams&, std::span<const Shape>) { return {}; }

Shape infer_shape(const OpParams&, std::span<const Shape> inputs) {
  return inputs.empty() ? Shape{} : inputs[0];
}

Cost cost(const OpParams&, std::span<const Shape> inputs, const Shape& output) {
  return elementwise_cost(inputs, output, 0);
}

}  // namespace

const OpSchema& schema_input() {
  static constexpr OpSchema kSchema{"input", kNames, 0, 0, parse, constants, infer_shape, cost};
  return kSchema;
}

}  // namespace atrous
