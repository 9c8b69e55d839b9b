// SPDX-License-Identifier: Apache-2.0
#include "core/error.h"
#include "ops/cost.h"

namespace atrous {
namespace {

/// Calls f(index, branch) for every branch as a convolution of its own.
template <typename F>
void for_each_branch(const OpParams& params, const F& f) {
  const std::vector<Conv2dParams>& branches = std::get<PyramidParams>(params).branches;
  for (std::size_t i = 0; i < branches.size(); ++i) f(i, OpParams(branches[i]));
}

OpParams parse(std::string_view, Fields&) {
  fail(ErrorCode::internal, "a pyramid is made by a pass, not by a config");
}

std::vector<ConstantSpec> constants(const OpParams& params, std::span<const Shape> inputs) {
  std::vector<ConstantSpec> specs;
  for_each_branch(params, [&](std::size_t i, const OpParams& branch) {
    for (ConstantSpec& spec : schema_conv2d().constants(branch, inputs))
      specs.push_back({fmt::format("{}.{}", i, spec.name), std::move(spec.dims)});
  });
  return specs;
}

Shape infer_shape(const OpParams& params, std::span<const Shape> inputs) {
  const bool sum = std::get<PyramidParams>(params).sum;
  Shape output;
  for_each_branch(params, [&](std::size_t i, const OpParams& branch) {
    const Shape shape = schema_conv2d().infer_shape(branch, inputs);
    if (i > 0 && (shape.h != output.h || shape.w != output.w || (sum && shape.c != output.c)))
      fail(ErrorCode::internal, "branches of a pyramid differ: {} and {}", to_string(output),
           to_string(shape));
    const std::int64_t before = i > 0 && !sum ? output.c : 0;
    output = shape;
    output.c += before;
  });
  return output;
}

Cost cost(const OpParams& params, std::span<const Shape> inputs, const Shape& output) {
  Cost result = elementwise_cost(inputs, output, 0);
  result.bytes += constant_bytes(constants(params, inputs));
  const int pooled = std::get<PyramidParams>(params).pooled;
  Shape mean = inputs[0];
  mean.h = mean.w = 1;
  for_each_branch(params, [&](std::size_t i, const OpParams& branch) {
    const bool of_mean = static_cast<int>(i) == pooled;
    const std::span<const Shape> in = of_mean ? std::span(&mean, 1) : inputs;
    result.flops += schema_conv2d().cost(branch, in, schema_conv2d().infer_shape(branch, in)).flops;
    if (of_mean) result.flops += static_cast<double>(inputs[0].elements());
  });
  return result;
}

}  // namespace

const OpSchema& schema_pyramid() {
  static constexpr OpSchema kSchema{"pyramid", {}, 1, 1, parse, constants, infer_shape, cost};
  return kSchema;
}

}  // namespace atrous
