// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "core/tensor_ref.h"
#include "ops/params.h"

namespace atrous {

/// y = scale[c] * x + shift[c] in channel c.
struct ChannelAffine {
  std::vector<double> scale, shift;
};

/// A batch norm as one: scale = weight / sqrt(running_var + eps), shift = bias - running_mean * scale.
/// `constants` are the node's, in the order of the schema.
ChannelAffine affine_of(const BatchNormParams& params, std::span<const Constant> constants);

}  // namespace atrous
