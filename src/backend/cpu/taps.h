// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

namespace atrous {

/// Taps of a window along one axis, at start, start + d, ..., that fall inside the input: [first, last).
struct Taps {
  std::int64_t first, last;
};
inline Taps taps_inside(std::int64_t start, std::int64_t in, int k, int d) {
  const std::int64_t first = start < 0 ? (-start + d - 1) / d : 0;
  return {first, std::clamp<std::int64_t>(in > start ? (in - start + d - 1) / d : 0, first,
                                          std::max<std::int64_t>(first, k))};
}

/// How many do so over all positions of an output of that extent.
inline std::int64_t count_taps_inside(std::int64_t out, std::int64_t in, int k, int s, int d, int padding) {
  std::int64_t count = 0;
  for (std::int64_t o = 0; o < out; ++o) {
    const Taps taps = taps_inside(o * s - padding, in, k, d);
    count += taps.last - taps.first;
  }
  return count;
}

}  // namespace atrous
