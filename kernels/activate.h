// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/device.h"
#include "ops/params.h"

/// The pointwise functions of ops/params.h on the device, for the epilogue of every kernel that fuses one.
namespace atrous::cuda {

/// One function, known at compile time. NaN goes through all of them, so that a broken network shows itself.
template <ActivationKind kind>
ATROUS_DEVICE float activate_as(const ActivationParams& p, float x) {
  auto clamp = [](float v, float low, float high) { return v < low ? low : (v > high ? high : v); };
  if constexpr (kind == ActivationKind::relu) return x < 0 ? 0 : x;
  if constexpr (kind == ActivationKind::relu6) return clamp(x, 0, 6);
  if constexpr (kind == ActivationKind::leaky_relu) return x > 0 ? x : p.alpha * x;
  if constexpr (kind == ActivationKind::sigmoid) return 1 / (1 + expf(-x));
  if constexpr (kind == ActivationKind::hardsigmoid) return clamp(x / 6 + 0.5F, 0, 1);
  if constexpr (kind == ActivationKind::hardswish) return x * clamp(x / 6 + 0.5F, 0, 1);
  if constexpr (kind == ActivationKind::silu) return x / (1 + expf(-x));
  if constexpr (kind == ActivationKind::gelu_erf) return 0.5F * x * erfcf(-0.70710678F * x);
  if constexpr (kind == ActivationKind::gelu_tanh)
    return 0.5F * x * (1 + tanhf(0.79788456F * (x + 0.044715F * x * x * x)));
  if constexpr (kind == ActivationKind::tanh) return tanhf(x);
  if constexpr (kind == ActivationKind::clip) return clamp(x, p.alpha, p.beta);
  return x;
}

template <ActivationKind kind, int N>
ATROUS_DEVICE void activate_each(const ActivationParams& p, float (&x)[N]) {
  for (int i = 0; i < N; ++i) x[i] = activate_as<kind>(p, x[i]);
}

/// Applies p to every value; the function is chosen once for all of them.
template <int N>
ATROUS_DEVICE void activate(const ActivationParams& p, float (&x)[N]) {
  switch (p.kind) {
    case ActivationKind::relu:
      return activate_each<ActivationKind::relu>(p, x);
    case ActivationKind::relu6:
      return activate_each<ActivationKind::relu6>(p, x);
    case ActivationKind::leaky_relu:
      return activate_each<ActivationKind::leaky_relu>(p, x);
    case ActivationKind::sigmoid:
      return activate_each<ActivationKind::sigmoid>(p, x);
    case ActivationKind::hardsigmoid:
      return activate_each<ActivationKind::hardsigmoid>(p, x);
    case ActivationKind::hardswish:
      return activate_each<ActivationKind::hardswish>(p, x);
    case ActivationKind::silu:
      return activate_each<ActivationKind::silu>(p, x);
    case ActivationKind::gelu_erf:
      return activate_each<ActivationKind::gelu_erf>(p, x);
    case ActivationKind::gelu_tanh:
      return activate_each<ActivationKind::gelu_tanh>(p, x);
    case ActivationKind::tanh:
      return activate_each<ActivationKind::tanh>(p, x);
    case ActivationKind::clip:
      return activate_each<ActivationKind::clip>(p, x);
    case ActivationKind::none:
      return;
  }
}

ATROUS_DEVICE float activate(const ActivationParams& p, float x) {
  float value[1] = {x};
  activate(p, value);
  return value[0];
}

}  // namespace atrous::cuda
