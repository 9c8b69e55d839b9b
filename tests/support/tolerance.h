// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cmath>

#include "core/types.h"
#include "ops/params.h"

namespace atrous::test {

/// How far an operator computed in fp32 may lie from the double-precision reference, relative to the largest
/// value of its output (at least 1) and for one term; sums of many terms get the root of their number times
/// as much. Operators that only move values are exact.
inline double fp32_error(const OpParams& params) {
  constexpr double kExact = 0, kArithmetic = 5e-7, kFunctions = 2e-5, kFusedFunctions = 1e-4;
  constexpr double kPositions =
      2e-6;  // the terms are a mask's pixels: a position's error grows with its side
  constexpr std::array<double, static_cast<std::size_t>(OpKind::count)> kErrors = [] {
    std::array<double, static_cast<std::size_t>(OpKind::count)> errors{};
    auto set = [&](OpKind kind, double error) { errors.at(static_cast<std::size_t>(kind)) = error; };
    set(OpKind::input, kExact);
    set(OpKind::identity, kExact);
    set(OpKind::concat, kExact);
    set(OpKind::slice, kExact);
    set(OpKind::pad, kExact);
    set(OpKind::argmax, kExact);
    set(OpKind::binary, kArithmetic);
    set(OpKind::batch_norm, kArithmetic);
    set(OpKind::pool2d, kArithmetic);
    set(OpKind::reduce_mean, kArithmetic);
    set(OpKind::resize, kFunctions);
    set(OpKind::activation, kFunctions);
    set(OpKind::softmax, kFunctions);
    set(OpKind::lrn, kFunctions);
    set(OpKind::conv2d, kFunctions);
    set(OpKind::fully_connected, kFunctions);
    set(OpKind::pyramid, kFusedFunctions);
    set(OpKind::separable, kFusedFunctions);
    set(OpKind::template_morph, kPositions);
    return errors;
  }();
  if (const auto* conv = std::get_if<Conv2dParams>(&params);
      conv && conv->activation.kind != ActivationKind::none)
    return kFusedFunctions;
  if (const auto* pool = std::get_if<Pool2dParams>(&params); pool && pool->kind == PoolKind::max)
    return kExact;
  if (const auto* resize = std::get_if<ResizeParams>(&params); resize && resize->mode == ResizeMode::nearest)
    return kExact;
  return kErrors.at(params.index());
}

/// Half the distance between neighbouring values of the type, relative: what one rounding adds. fp32's own is
/// part of fp32_error().
inline double rounding_error(DType dtype) {
  return dtype == DType::f16 ? 0x1p-11 : dtype == DType::bf16 ? 0x1p-8 : 0;
}

/// The largest error allowed on an element that should be `wanted`: fp32 arithmetic over `terms` terms, then
/// one rounding to the type of the output; of a sum of branches, one after each, of values that grow with the
/// root of `terms`; of a separable convolution, one of each term, as large as the depthwise sum, before.
/// `largest` is the largest magnitude in the output.
inline double tolerance(const OpParams& params, DType dtype, double terms, double largest, double wanted) {
  const double error = fp32_error(params);
  if (error == 0) return 0;
  const double computed = error * std::max(1.0, largest) * std::sqrt(terms);
  constexpr double kDepthwiseSums = 6;  // of a few dozen products of the cases' inputs and weights
  double rounded = std::abs(wanted) + computed;
  if (const auto* pyramid = std::get_if<PyramidParams>(&params); pyramid && pyramid->sum)
    rounded += static_cast<double>(pyramid->branches.size() - 1) * std::max(largest, std::sqrt(terms));
  if (std::holds_alternative<SeparableParams>(params))
    rounded += std::max(largest, kDepthwiseSums * std::sqrt(terms));
  return computed + rounding_error(dtype) * rounded;
}

}  // namespace atrous::test
