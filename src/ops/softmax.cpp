// SPDX-License-Identifier: Apache-2.0
#include "ops/cost.h"

namespace atrous {
namespace {

constexpr std::string_view kNames[] = {"softmax"};

OpParams parse(std::string_view, Fields&) { return SoftmaxParams{}; }

std::vector<ConstantSpec> constants(const OpParams&, std::span<const Shape>) { return {}; }

Shape infer_shape(const OpParams&, std::span<const Shape> inputs) { return inputs[0]; }

Cost cost(const OpParams&, std::span<const Shape> inputs, const Shape& output) {
  return elementwise_cost(inputs, output, 4);
}

}  // namespace

const OpSchema& schema_softmax() {
  static constexpr OpSchema kSchema{"softmax", kNames, 1, 1, parse, constants, infer_shape, cost};
  return kSchema;
}

}  // namespace atrous
