// SPDX-License-Identifier: Apache-2.0
#include "ops/separable.h"

#include "core/error.h"
#include "ops/cost.h"

namespace atrous {

std::vector<Shape> pointwise_inputs(const SeparableParams& params, std::span<const Shape> inputs) {
  std::vector<Shape> result(inputs.begin(), inputs.end());
  result[0] = schema_conv2d().infer_shape(params.depthwise, inputs.first(1));
  return result;
}

namespace {

OpParams parse(std::string_view, Fields&) {
  fail(ErrorCode::internal, "a separable convolution is made by a pass, not by a config");
}

std::vector<ConstantSpec> constants(const OpParams& params, std::span<const Shape> inputs) {
  const auto& p = std::get<SeparableParams>(params);
  std::vector<ConstantSpec> specs;
  auto add = [&](std::string_view part, const OpParams& conv, std::span<const Shape> of) {
    for (ConstantSpec& spec : schema_conv2d().constants(conv, of))
      specs.push_back({fmt::format("{}.{}", part, spec.name), std::move(spec.dims)});
  };
  add("depthwise", p.depthwise, inputs.first(1));
  add("pointwise", p.pointwise, pointwise_inputs(p, inputs));
  return specs;
}

Shape infer_shape(const OpParams& params, std::span<const Shape> inputs) {
  const auto& p = std::get<SeparableParams>(params);
  return schema_conv2d().infer_shape(p.pointwise, pointwise_inputs(p, inputs));
}

Cost cost(const OpParams& params, std::span<const Shape> inputs, const Shape& output) {
  const auto& p = std::get<SeparableParams>(params);
  const std::vector<Shape> second = pointwise_inputs(p, inputs);
  Cost result = elementwise_cost(inputs, output, 0);
  result.bytes += constant_bytes(constants(params, inputs));
  result.flops = schema_conv2d().cost(p.depthwise, inputs.first(1), second[0]).flops +
                 schema_conv2d().cost(p.pointwise, second, output).flops;
  return result;
}

}  // namespace

const OpSchema& schema_separable() {
  static constexpr OpSchema kSchema{"separable", {}, 1, 1, parse, constants, infer_shape, cost};
  return kSchema;
}

}  // namespace atrous
