// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/conv2d_implicit_gemm.h"
#include "kernels/separable.h"

namespace atrous::test {

/// run_conv2d_implicit_gemm() in f16 with one tile and a planted fault: the tiles narrow the input by `early`
/// elements (0, 1 or 8) before they look which taps touch it. 0 plants nothing.
void run_with_early_skip(const cuda::ImplicitGemmPlan& plan, const cuda::Conv2dAddresses& at, int early,
                         cuda::StreamHandle stream);

/// The same for run_separable() and tiles of 64x64: `early` is 0 or 1.
void run_separable_with_early_skip(const cuda::SeparablePlan& plan, const cuda::SeparableAddresses& at,
                                   int early, cuda::StreamHandle stream);

/// A plan for the first: tiles of tile_h x tile_w pixels, at most 64.
cuda::ImplicitGemmPlan early_skip_plan(const cuda::Conv2dProblem& problem, int tile_h, int tile_w);

}  // namespace atrous::test
