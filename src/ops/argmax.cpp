// SPDX-License-Identifier: Apache-2.0
#include "ops/cost.h"

namespace atrous {
namespace {

constexpr std::string_view kNames[] = {"argmax"};

OpParams parse(std::string_view, Fields&) { return ArgmaxParams{}; }

std::vector<ConstantSpec> constants(const OpParams&, std::span<const Shape>) { return {}; }

Shape infer_shape(const OpParams&, std::span<const Shape> inputs) {
  return {inputs[0].n, inputs[0].h, inputs[0].w, 1};
}

Cost cost(const OpParams&, std::span<const Shape> inputs, const Shape& output) {
  return elementwise_cost(inputs, output, static_cast<double>(inputs[0].c));
}

}  // namespace

const OpSchema& schema_argmax() {
  static constexpr OpSchema kSchema{"argmax", kNames, 1, 1, parse, constants, infer_shape, cost};
  return kSchema;
}

}  // namespace atrous
