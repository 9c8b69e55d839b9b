// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include "backend/cpu/activate.h"
#include "backend/cpu/kernel_of.h"
#include "core/fast_math.h"

namespace atrous {
namespace {

inline float sigmoid_of(float x) { return 1.0F / (1.0F + fast_exp(-x)); }

ATROUS_VECTORISE void clip_row(const float* in, float* out, std::int64_t count, Clamp clamp) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float x = in[i] < clamp.low ? clamp.low : in[i];
    out[i] = x > clamp.high ? clamp.high : x;
  }
}
ATROUS_VECTORISE void leaky_row(const float* in, float* out, std::int64_t count, float slope) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = in[i] > 0 ? in[i] : slope * in[i];
}
ATROUS_VECTORISE void sigmoid_row(const float* in, float* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = sigmoid_of(in[i]);
}
ATROUS_VECTORISE void silu_row(const float* in, float* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = in[i] * sigmoid_of(in[i]);
}
ATROUS_VECTORISE void hardsigmoid_row(const float* in, float* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i)
    out[i] = std::min(std::max(in[i] + 3.0F, 0.0F), 6.0F) * (1.0F / 6.0F);
}
ATROUS_VECTORISE void hardswish_row(const float* in, float* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i)
    out[i] = in[i] * std::min(std::max(in[i] + 3.0F, 0.0F), 6.0F) * (1.0F / 6.0F);
}
/// gelu(x) ~ x * sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3), which equals 0.5 x (1 + tanh u).
ATROUS_VECTORISE void gelu_tanh_row(const float* in, float* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i)
    out[i] = in[i] * sigmoid_of(1.59576912F * (in[i] + 0.044715F * in[i] * in[i] * in[i]));
}
void gelu_erf_row(const float* in, float* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = 0.5F * in[i] * (1.0F + std::erf(in[i] * 0.707106781F));
}
void tanh_row(const float* in, float* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = std::tanh(in[i]);
}

std::unique_ptr<Kernel> prepare(const NodeDesc& node, PrepareContext&) {
  return kernel_of([p = std::get<ActivationParams>(node.params), in = node.inputs[0],
                    out = node.output](const KernelArgs& args) {
    const bool dense = in.is_dense() && out.is_dense();
    const std::int64_t run = dense ? out.shape.w * out.shape.c : out.shape.c, runs = dense ? 1 : out.shape.w;
    parallel_for(out.shape.n * out.shape.h, [&](std::int64_t row) {
      const float* from = input_of(args) + row * in.shape.w * in.pitch;
      float* to = output_of(args) + row * out.shape.w * out.pitch;
      for (std::int64_t i = 0; i < runs; ++i) activate(p, from + i * in.pitch, to + i * out.pitch, run);
    });
  });
}

constexpr Implementation kList[] = {{"direct", accept_all, prepare}};

}  // namespace

std::optional<Clamp> as_clamp(const ActivationParams& params) {
  constexpr float kHuge = std::numeric_limits<float>::infinity();
  switch (params.kind) {
    case ActivationKind::none:
      return Clamp{};
    case ActivationKind::relu:
      return Clamp{0, kHuge};
    case ActivationKind::relu6:
      return Clamp{0, 6};
    case ActivationKind::clip:
      return Clamp{params.alpha, params.beta};
    default:
      return std::nullopt;
  }
}

void activate(const ActivationParams& params, const float* in, float* out, std::int64_t count) {
  switch (params.kind) {
    case ActivationKind::none:
      return copy_pixels(in, count, out, count, 1, in == out ? 0 : count);
    case ActivationKind::relu:
    case ActivationKind::relu6:
    case ActivationKind::clip:
      return clip_row(in, out, count, *as_clamp(params));
    case ActivationKind::leaky_relu:
      return leaky_row(in, out, count, params.alpha);
    case ActivationKind::sigmoid:
      return sigmoid_row(in, out, count);
    case ActivationKind::hardsigmoid:
      return hardsigmoid_row(in, out, count);
    case ActivationKind::hardswish:
      return hardswish_row(in, out, count);
    case ActivationKind::silu:
      return silu_row(in, out, count);
    case ActivationKind::gelu_erf:
      return gelu_erf_row(in, out, count);
    case ActivationKind::gelu_tanh:
      return gelu_tanh_row(in, out, count);
    case ActivationKind::tanh:
      return tanh_row(in, out, count);
  }
}

std::span<const Implementation> cpu_activation() { return kList; }

}  // namespace atrous
