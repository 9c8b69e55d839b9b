// SPDX-License-Identifier: Apache-2.0
#include "ops/cost.h"

namespace atrous {
namespace {

constexpr std::string_view kNames[] = {"fully_connected"};

OpParams parse(std::string_view, Fields& fields) {
  FullyConnectedParams p;
  p.oc = static_cast<int>(fields.integer_in("out", 1, 65536));
  p.has_bias = fields.boolean("bias", true);
  return p;
}

std::vector<ConstantSpec> constants(const OpParams& params, std::span<const Shape> inputs) {
  const auto& p = std::get<FullyConnectedParams>(params);
  std::vector<ConstantSpec> specs{{"weight", {p.oc, inputs[0].h * inputs[0].w * inputs[0].c}}};
  if (p.has_bias) specs.push_back({"bias", {p.oc}});
  return specs;
}

Shape infer_shape(const OpParams& params, std::span<const Shape> inputs) {
  return {inputs[0].n, 1, 1, std::get<FullyConnectedParams>(params).oc};
}

Cost cost(const OpParams& params, std::span<const Shape> inputs, const Shape& output) {
  Cost result =
      elementwise_cost(inputs, output, 2 * static_cast<double>(inputs[0].h * inputs[0].w * inputs[0].c));
  result.bytes += constant_bytes(constants(params, inputs));
  return result;
}

}  // namespace

const OpSchema& schema_fully_connected() {
  static constexpr OpSchema kSchema{"fully_connected", kNames, 1, 1, parse, constants, infer_shape, cost};
  return kSchema;
}

}  // namespace atrous
