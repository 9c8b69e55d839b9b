// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backend/cuda/runtime.h"
#include "kernels/conv2d_problem.h"

namespace atrous::cuda {

/// Any convolution. Weights: [kh*kw][ic/groups][oc] in the activations' type, 16-byte aligned.
void run_conv2d_direct(const Conv2dProblem& problem, const Conv2dAddresses& at, StreamHandle stream);

}  // namespace atrous::cuda
