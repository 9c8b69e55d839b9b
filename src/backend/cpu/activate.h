// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "ops/params.h"

namespace atrous {

/// out[i] = act(in[i]) for `count` contiguous values; in may be out.
void activate(const ActivationParams& params, const float* in, float* out, std::int64_t count);

}  // namespace atrous
