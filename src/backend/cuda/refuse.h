// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <limits>
#include <string>

#include "backend/backend.h"

namespace atrous {

/// Why kernels that number elements in 32 bits do not take the node, or "".
inline std::string refuse_large_tensors(const NodeDesc& node) {
  auto large = [](const TensorDesc& d) {
    return d.shape.pixels() * d.pitch > std::numeric_limits<std::int32_t>::max();
  };
  return large(node.output) || std::any_of(node.inputs.begin(), node.inputs.end(), large)
             ? "a tensor has 2^31 elements or more"
             : "";
}

}  // namespace atrous
