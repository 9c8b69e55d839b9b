// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backend/backend.h"
#include "kernels/conv2d_problem.h"
#include "ops/conv2d.h"

namespace atrous {

/// A conv2d node as its kernels see it.
inline cuda::Conv2dProblem conv2d_problem(const NodeDesc& node) {
  return {node.inputs[0], node.output, node.inputs.back(),
          resolve_conv2d(std::get<Conv2dParams>(node.params), node.inputs[0].shape)};
}

}  // namespace atrous
