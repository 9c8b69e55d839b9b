// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "backend/cuda/runtime.h"
#include "kernels/conv2d_problem.h"

namespace atrous::cuda {

/// Any convolution. Weights: [kh*kw][ic/groups][oc] in the activations' type, 16-byte aligned.
void run_conv2d_direct(const Conv2dProblem& problem, const Conv2dAddresses& at, StreamHandle stream);

/// Bytes of workspace for a sum of so many convolutions.
std::size_t direct_sum_bytes(const Conv2dProblem& problem, int count);
/// out = act(bias + the sum of the convolutions), in fp32 until the end. They differ in window, rate and
/// padding alone; `weights` has those of each; the activation is the first one's, the rest of the addresses
/// is `at`.
void run_conv2d_direct_sum(std::span<const Conv2dProblem> problems, std::span<const void* const> weights,
                           const Conv2dAddresses& at, StreamHandle stream);

}  // namespace atrous::cuda
