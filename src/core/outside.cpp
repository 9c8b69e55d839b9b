// SPDX-License-Identifier: Apache-2.0
#include "core/outside.h"

#include <algorithm>
#include <cmath>

#include "core/parallel.h"

namespace atrous {
namespace {

ATROUS_VECTORISE bool all_inside(const float* values, std::size_t count, float limit) {
  int outside = 0;
  for (std::size_t i = 0; i < count; ++i) outside |= std::abs(values[i]) <= limit ? 0 : 1;
  return outside == 0;
}

}  // namespace

std::optional<float> find_outside(std::span<const float> values, float limit) {
  if (all_inside(values.data(), values.size(), limit)) return std::nullopt;
  return *std::find_if(values.begin(), values.end(), [&](float v) { return !(std::abs(v) <= limit); });
}

}  // namespace atrous
