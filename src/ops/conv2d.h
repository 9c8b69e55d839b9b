// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/types.h"
#include "ops/params.h"

namespace atrous {

/// The parameters with everything that depends on the input filled in: oc, groups and explicit padding.
Conv2dParams resolve_conv2d(const Conv2dParams& params, const Shape& input);

/// A dense layer is the convolution whose window is the whole input: its weight [oc, c*h*w] is [oc, c, h, w].
Conv2dParams as_conv2d(const FullyConnectedParams& params, const Shape& input);

}  // namespace atrous
