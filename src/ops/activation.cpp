// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "ops/cost.h"

namespace atrous {
namespace {

constexpr std::string_view kNames[] = {"relu",      "relu6", "leaky_relu", "sigmoid", "hardsigmoid",
                                       "hardswish", "silu",  "gelu",       "tanh",    "clip"};

constexpr std::array<ActivationKind, 10> kKinds = {ActivationKind::relu,        ActivationKind::relu6,
                                                   ActivationKind::leaky_relu,  ActivationKind::sigmoid,
                                                   ActivationKind::hardsigmoid, ActivationKind::hardswish,
                                                   ActivationKind::silu,        ActivationKind::gelu_erf,
                                                   ActivationKind::tanh,        ActivationKind::clip};

OpParams parse(std::string_view name, Fields& fields) {
  ActivationParams p;
  for (std::size_t i = 0; i < std::size(kNames); ++i)
    if (name == kNames[i]) p.kind = kKinds[i];
  if (p.kind == ActivationKind::leaky_relu) p.alpha = static_cast<float>(fields.number("slope", 0.01));
  if (p.kind == ActivationKind::gelu_erf) {
    const std::string form = fields.text("approximation", "erf");
    if (form != "erf" && form != "tanh")
      fields.complain("'approximation' must be erf or tanh, not '" + form + "'");
    if (form == "tanh") p.kind = ActivationKind::gelu_tanh;
  }
  if (p.kind == ActivationKind::clip) {
    p.alpha = static_cast<float>(fields.number("min"));
    p.beta = static_cast<float>(fields.number("max"));
    if (p.alpha > p.beta) fields.complain("'min' must not be above 'max'");
  }
  return p;
}

std::vector<ConstantSpec> constants(const OpParams&, std::span<const Shape>) { return {}; }

Shape infer_shape(const OpParams&, std::span<const Shape> inputs) { return inputs[0]; }

Cost cost(const OpParams&, std::span<const Shape> inputs, const Shape& output) {
  return elementwise_cost(inputs, output, 1);
}

}  // namespace

const OpSchema& schema_activation() {
  static constexpr OpSchema kSchema{"activation", kNames, 1, 1, parse, constants, infer_shape, cost};
  return kSchema;
}

}  // namespace atrous
