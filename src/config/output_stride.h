// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "config/model_config.h"

namespace atrous {

/// Rewrites strides and rates so that the nodes whose path begins with `prefix` reach `output_stride` and no
/// more (DeepLab v3 section 3.1): a convolution or pooling that would pass it keeps stride 1, and what
/// follows it dilates by the stride it lost; given padding grows with the rate. The values are those of the
/// network with its strides, computed at more places. Throws Error{bad_config} where a stride does not divide
/// evenly or no node begins with `prefix`.
void apply_output_stride(std::vector<NodeSpec>& nodes, int output_stride, std::string_view prefix);

}  // namespace atrous
