// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "core/types.h"
#include "ops/params.h"

namespace atrous {

/// The shapes that the pointwise convolution reads (the depthwise one's output, the residual if any), out of
/// those that the pair reads.
std::vector<Shape> pointwise_inputs(const SeparableParams& params, std::span<const Shape> inputs);

}  // namespace atrous
