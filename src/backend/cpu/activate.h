// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

#include "ops/params.h"

namespace atrous {

/// out[i] = act(in[i]) for `count` contiguous values; in may be out.
void activate(const ActivationParams& params, const float* in, float* out, std::int64_t count);

/// x limited to [low, high]; what is not a number stays so.
struct Clamp {
  float low = -std::numeric_limits<float>::infinity(), high = std::numeric_limits<float>::infinity();
};
/// The activation as one, if it is or if there is none.
std::optional<Clamp> as_clamp(const ActivationParams& params);

}  // namespace atrous
