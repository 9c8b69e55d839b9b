// SPDX-License-Identifier: Apache-2.0
#include "ops/batch_norm.h"

#include <cmath>

#include "ops/cost.h"

namespace atrous {

ChannelAffine affine_of(const BatchNormParams& params, std::span<const Constant> constants) {
  const std::vector<float> weight = constants[0].read_f32(), bias = constants[1].read_f32(),
                           mean = constants[2].read_f32(), var = constants[3].read_f32();
  ChannelAffine affine;
  for (std::size_t c = 0; c < weight.size(); ++c) {
    affine.scale.push_back(weight[c] / std::sqrt(static_cast<double>(var[c]) + params.eps));
    affine.shift.push_back(bias[c] - mean[c] * affine.scale[c]);
  }
  return affine;
}

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
