// SPDX-License-Identifier: Apache-2.0
#include "ops/cost.h"

namespace atrous {
namespace {

constexpr std::string_view kNames[] = {"identity", "dropout"};

OpParams parse(std::string_view name, Fields& fields) {
  if (name == "dropout") fields.number("p", 0.5);
  return IdentityParams{};
}

std::vector<ConstantSpec> constants(const OpParams&, std::span<const Shape>) { return {}; }

Shape infer_shape(const OpParams&, std::span<const Shape> inputs) { return inputs[0]; }

Cost cost(const OpParams&, std::span<const Shape> inputs, const Shape& output) {
  return elementwise_cost(inputs, output, 0);
}

}  // namespace

const OpSchema& schema_identity() {
  static constexpr OpSchema kSchema{"identity", kNames, 1, 1, parse, constants, infer_shape, cost};
  return kSchema;
}

}  // namespace atrous
