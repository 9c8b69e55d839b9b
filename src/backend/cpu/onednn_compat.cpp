// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/onednn_compat.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace atrous {
namespace {

void append(dnnl::post_ops& ops, dnnl::algorithm algorithm, float alpha, float beta) {
#if DNNL_VERSION_MAJOR >= 3
  ops.append_eltwise(algorithm, alpha, beta);
#else
  ops.append_eltwise(1.0F, algorithm, alpha, beta);
#endif
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

dnnl::convolution_forward::primitive_desc make_convolution(const OnednnConvolution& c,
                                                           const dnnl::engine& engine) {
  constexpr auto kind = dnnl::prop_kind::forward_inference;
  constexpr auto algorithm = dnnl::algorithm::convolution_direct;
#if DNNL_VERSION_MAJOR >= 3
  return {engine, kind,      algorithm,   c.src,           c.weights,     c.bias,
          c.dst,  c.strides, c.dilations, c.padding_begin, c.padding_end, c.attributes};
#else
  const dnnl::convolution_forward::desc desc(kind, algorithm, c.src, c.weights, c.bias, c.dst, c.strides,
                                             c.dilations, c.padding_begin, c.padding_end);
  return {desc, c.attributes, engine};
#endif
}

bool append_activation(dnnl::post_ops& ops, const ActivationParams& a) {
  using dnnl::algorithm;
  switch (a.kind) {
    case ActivationKind::none:
      return true;
    case ActivationKind::relu:
      append(ops, algorithm::eltwise_relu, 0, 0);
      return true;
    case ActivationKind::relu6:
      append(ops, algorithm::eltwise_clip, 0, 6);
      return true;
    case ActivationKind::clip:
      append(ops, algorithm::eltwise_clip, a.alpha, a.beta);
      return true;
    case ActivationKind::leaky_relu:
      append(ops, algorithm::eltwise_relu, a.alpha, 0);
      return true;
    case ActivationKind::sigmoid:
      append(ops, algorithm::eltwise_logistic, 0, 0);
      return true;
    case ActivationKind::silu:
      append(ops, algorithm::eltwise_swish, 1, 0);
      return true;
    case ActivationKind::gelu_erf:
      append(ops, algorithm::eltwise_gelu_erf, 0, 0);
      return true;
    case ActivationKind::gelu_tanh:
      append(ops, algorithm::eltwise_gelu_tanh, 0, 0);
      return true;
    case ActivationKind::tanh:
      append(ops, algorithm::eltwise_tanh, 0, 0);
      return true;
    case ActivationKind::hardsigmoid:
    case ActivationKind::hardswish:
      return false;
  }
  return false;
}

}  // namespace atrous
