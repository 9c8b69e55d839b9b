// SPDX-License-Identifier: Apache-2.0
#include "ops/conv2d.h"

#include "core/error.h"
#include "ops/cost.h"
#include "ops/window.h"

namespace atrous {

Conv2dParams resolve_conv2d(const Conv2dParams& params, const Shape& input) {
  Conv2dParams resolved = params;
  if (params.groups == 0) resolved.groups = static_cast<int>(input.c);
  if (params.oc == 0) resolved.oc = static_cast<int>(input.c);
  resolved.padding = resolve_padding(params.padding, input, params.kh, params.kw, params.sh, params.sw,
                                     params.dh, params.dw);
  return resolved;
}

Conv2dParams as_conv2d(const FullyConnectedParams& params, const Shape& input) {
  Conv2dParams conv;
  conv.oc = params.oc, conv.kh = static_cast<int>(input.h), conv.kw = static_cast<int>(input.w);
  conv.has_bias = params.has_bias, conv.activation = params.activation;
  return conv;
}

namespace {

constexpr std::string_view kNames[] = {"conv2d"};

OpParams parse(std::string_view, Fields& fields) {
  Conv2dParams p;
  const Pair kernel = parse_pair(fields, "kernel", 1, 1, kMaxWindow),
             stride = parse_pair(fields, "stride", 1, 1, kMaxWindow),
             dilation = parse_pair(fields, "dilation", 1, 1, kMaxDilation);
  p.kh = kernel.h, p.kw = kernel.w, p.sh = stride.h, p.sw = stride.w, p.dh = dilation.h, p.dw = dilation.w;
  if (const Value* groups = fields.find("groups"); groups != nullptr && groups->scalar == "depthwise")
    p.groups = 0;
  else
    p.groups = static_cast<int>(fields.integer_in("groups", 1, 65536, 1));
  if (p.groups != 0 || fields.has("out")) p.oc = static_cast<int>(fields.integer_in("out", 1, 65536));
  p.has_bias = fields.boolean("bias", false);
  p.padding = parse_padding(fields, p.dh * (p.kh - 1) / 2, p.dw * (p.kw - 1) / 2);
  return p;
}

std::vector<ConstantSpec> constants(const OpParams& params, std::span<const Shape> inputs) {
  const Conv2dParams p = resolve_conv2d(std::get<Conv2dParams>(params), inputs[0]);
  if (inputs[0].c % p.groups != 0 || p.oc % p.groups != 0)
    fail(ErrorCode::bad_config, "{} input and {} output channels do not divide into {} groups", inputs[0].c,
         p.oc, p.groups);
  std::vector<ConstantSpec> specs{{"weight", {p.oc, inputs[0].c / p.groups, p.kh, p.kw}}};
  if (p.has_bias) specs.push_back({"bias", {p.oc}});
  return specs;
}

Shape infer_shape(const OpParams& params, std::span<const Shape> inputs) {
  const Conv2dParams p = resolve_conv2d(std::get<Conv2dParams>(params), inputs[0]);
  const Shape output{
      inputs[0].n, window_extent(inputs[0].h, p.kh, p.sh, p.dh, p.padding.top, p.padding.bottom, false),
      window_extent(inputs[0].w, p.kw, p.sw, p.dw, p.padding.left, p.padding.right, false), p.oc};
  if (p.has_residual && !(inputs.back() == output))
    fail(ErrorCode::bad_config, "the residual is {} but the convolution makes {}", to_string(inputs.back()),
         to_string(output));
  return output;
}

Cost cost(const OpParams& params, std::span<const Shape> inputs, const Shape& output) {
  const Conv2dParams p = resolve_conv2d(std::get<Conv2dParams>(params), inputs[0]);
  const double taps = static_cast<double>(inputs[0].c / p.groups) * p.kh * p.kw;
  Cost result = elementwise_cost(inputs, output, 2 * taps);
  result.bytes += constant_bytes(constants(params, inputs));
  return result;
}

}  // namespace

const OpSchema& schema_conv2d() {
  static constexpr OpSchema kSchema{"conv2d", kNames, 1, 1, parse, constants, infer_shape, cost};
  return kSchema;
}

}  // namespace atrous
