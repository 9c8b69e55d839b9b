// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "backend/backend.h"
#include "backend/cuda/cudnn_convolution.h"

namespace atrous::cudnn {

struct Choice {
  std::string refusal;  ///< why cuDNN cannot run the problem; "" where it can
  Algorithm algorithm;
};

/// The fastest of the algorithms that run the node's problem on the current device, by running each of them
/// on scratch memory; remembered for the life of the process. Only after a run is it known what cuDNN takes:
/// its answers before are guesses. Thread-safe. Throws Error{out_of_memory, internal}.
Choice choose(const NodeDesc& node, const cuda::Conv2dProblem& problem, Math math);

}  // namespace atrous::cudnn
