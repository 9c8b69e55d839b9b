// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>

namespace atrous {

/// The first value that is not a number or not within +-limit.
std::optional<float> find_outside(std::span<const float> values, float limit);

}  // namespace atrous
