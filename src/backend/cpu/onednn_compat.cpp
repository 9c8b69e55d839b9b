// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/onednn_compat.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace atrous {
namespace {

using dnnl::algorithm;

/// scale * function(x); from oneDNN 3 on the destination has a scale of its own.
void append(dnnl::post_ops& ops, [[maybe_unused]] float scale, algorithm function, float alpha, float beta) {
#if DNNL_VERSION_MAJOR >= 3
  ops.append_eltwise(function, alpha, beta);
#else
  ops.append_eltwise(scale, function, alpha, beta);
#endif
}

void append_activation(dnnl::post_ops& ops, const ActivationParams& a, float scale) {
  switch (a.kind) {
    case ActivationKind::none:
      return;
    case ActivationKind::relu:
      return append(ops, scale, algorithm::eltwise_relu, 0, 0);
    case ActivationKind::relu6:
      return append(ops, scale, algorithm::eltwise_clip, 0, 6);
    case ActivationKind::clip:
      return append(ops, scale, algorithm::eltwise_clip, a.alpha, a.beta);
    case ActivationKind::leaky_relu:
      return append(ops, scale, algorithm::eltwise_relu, a.alpha, 0);
    case ActivationKind::sigmoid:
      return append(ops, scale, algorithm::eltwise_logistic, 0, 0);
    case ActivationKind::hardsigmoid:
      append(ops, 1, algorithm::eltwise_linear, 1.0F / 6, 0.5F);
      return append(ops, scale, algorithm::eltwise_clip, 0, 1);
    case ActivationKind::hardswish:
      return append(ops, scale, algorithm::eltwise_hardswish, 1.0F / 6, 0.5F);
    case ActivationKind::silu:
      return append(ops, scale, algorithm::eltwise_swish, 1, 0);
    case ActivationKind::gelu_erf:
      return append(ops, scale, algorithm::eltwise_gelu_erf, 0, 0);
    case ActivationKind::gelu_tanh:
      return append(ops, scale, algorithm::eltwise_gelu_tanh, 0, 0);
    case ActivationKind::tanh:
      return append(ops, scale, algorithm::eltwise_tanh, 0, 0);
  }
}

dnnl::primitive_attr attributes_of(const OnednnConvolution& c) {
  const OnednnScales& scales = c.scales;
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  float residual = scales.residual, activated = 1;
#if DNNL_VERSION_MAJOR >= 3
  if (!scales.sums.empty()) {
    const bool grouped = c.weights.get_ndims() > c.src.get_ndims();
    attributes.set_scales_mask(DNNL_ARG_WEIGHTS, grouped ? 3 : 1);
    if (scales.dst != 1) attributes.set_scales_mask(DNNL_ARG_DST, 0);
  }
#else
  if (!scales.sums.empty()) {
    const ActivationKind kind = c.activation.kind;
    const bool homogeneous =
        kind == ActivationKind::none || kind == ActivationKind::relu || kind == ActivationKind::leaky_relu;
    const float before = homogeneous ? 1 / scales.dst : 1;
    activated = homogeneous ? 1 : 1 / scales.dst;
    residual *= before;
    std::vector<float> sums = scales.sums;
    for (float& sum : sums) sum *= before;
    attributes.set_output_scales(2, sums);
  }
#endif
  dnnl::post_ops ops;
  if (c.has_residual) ops.append_sum(residual, 0, scales.residual_type);
  append_activation(ops, c.activation, activated);
  attributes.set_post_ops(ops);
  return attributes;
}

}  // namespace

std::string onednn_version() {
  const dnnl_version_t* version = dnnl_version();
  return fmt::format("{}.{}.{}", version->major, version->minor, version->patch);
}

std::string layout_of(const dnnl::memory::desc& desc) {
#if DNNL_VERSION_MAJOR >= 3
  const dnnl::memory::dims strides = desc.get_strides(), blocks = desc.get_inner_blks(),
                           axes = desc.get_inner_idxs();
#else
  const dnnl_blocking_desc_t& order = desc.data.format_desc.blocking;
  const dnnl::memory::dims strides(order.strides, order.strides + desc.data.ndims),
      blocks(order.inner_blks, order.inner_blks + order.inner_nblks),
      axes(order.inner_idxs, order.inner_idxs + order.inner_nblks);
#endif
  return fmt::format("{} {} {}", fmt::join(strides, ","), fmt::join(blocks, ","), fmt::join(axes, ","));
}

bool has_int8_products() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41:
    case dnnl::cpu_isa::avx:
    case dnnl::cpu_isa::avx2:
    case dnnl::cpu_isa::avx512_core:
      return false;
    default:
      return true;
  }
}

bool has_bf16_products() {
#if defined(__x86_64__)
  const dnnl::cpu_isa isa = dnnl::get_effective_cpu_isa();  // may be set lower than the processor's
  return __builtin_cpu_supports("avx512bf16") && has_int8_products() &&
         isa != dnnl::cpu_isa::avx512_core_vnni && isa != dnnl::cpu_isa::avx2_vnni;
#else
  return false;
#endif
}

dnnl::convolution_forward::primitive_desc make_convolution(const OnednnConvolution& c,
                                                           const dnnl::engine& engine) {
  constexpr auto kind = dnnl::prop_kind::forward_inference;
  constexpr auto direct = algorithm::convolution_direct;
  const dnnl::primitive_attr attributes = attributes_of(c);
#if DNNL_VERSION_MAJOR >= 3
  return {engine, kind,      direct,      c.src,           c.weights,     c.bias,
          c.dst,  c.strides, c.dilations, c.padding_begin, c.padding_end, attributes};
#else
  const dnnl::convolution_forward::desc desc(kind, direct, c.src, c.weights, c.bias, c.dst, c.strides,
                                             c.dilations, c.padding_begin, c.padding_end);
  return {desc, attributes, engine};
#endif
}

#if DNNL_VERSION_MAJOR >= 3

void prepare_bias(OnednnScales&, std::span<float>) {}

OnednnScaleArguments::OnednnScaleArguments(const OnednnScales& scales, const dnnl::engine& engine) {
  if (scales.sums.empty()) return;
  auto add = [&](int argument, std::span<const float> values) {
    const dnnl::memory::dim count = static_cast<dnnl::memory::dim>(values.size());
    memory_.emplace_back(
        dnnl::memory::desc({count}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::a), engine);
    std::copy(values.begin(), values.end(), static_cast<float*>(memory_.back().get_data_handle()));
    arguments_.push_back({DNNL_ARG_ATTR_SCALES | argument, memory_.back().get()});
  };
  add(DNNL_ARG_WEIGHTS, scales.sums);
  if (scales.dst != 1) add(DNNL_ARG_DST, std::span(&scales.dst, 1));
}

#else

void prepare_bias(OnednnScales& scales, std::span<float> bias) {
  constexpr float kHidden = 0x1p-56F;  // 31 bits of a sum times this are less than half a step of a float
  for (std::size_t o = 0; o < bias.size(); ++o) {
    if (bias[o] == 0) continue;
    const float least = std::max(std::abs(bias[o]) * kHidden, std::numeric_limits<float>::min());
    if (std::abs(scales.sums[o]) < least) scales.sums[o] = least;
    bias[o] /= scales.sums[o];
  }
}

OnednnScaleArguments::OnednnScaleArguments(const OnednnScales&, const dnnl::engine&) {}

#endif

}  // namespace atrous
