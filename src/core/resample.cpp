// SPDX-License-Identifier: Apache-2.0
#include "core/resample.h"

#include <algorithm>

namespace atrous {

LinearSample linear_sample(double at, std::int64_t in) {
  at = std::clamp(at, 0.0, static_cast<double>(in - 1));
  const auto low = static_cast<std::int64_t>(at);
  return {low, std::min(low + 1, in - 1), static_cast<float>(at - static_cast<double>(low))};
}

std::vector<LinearSample> linear_samples(std::int64_t in, std::int64_t out, bool align_corners) {
  std::vector<LinearSample> samples;
  const double step = align_corners
                          ? (out > 1 ? static_cast<double>(in - 1) / static_cast<double>(out - 1) : 0.0)
                          : static_cast<double>(in) / static_cast<double>(out);
  for (std::int64_t x = 0; x < out; ++x) {
    const auto position = static_cast<double>(x);
    samples.push_back(linear_sample(align_corners ? position * step : (position + 0.5) * step - 0.5, in));
  }
  return samples;
}

std::vector<std::int64_t> nearest_samples(std::int64_t in, std::int64_t out, bool align_corners) {
  std::vector<std::int64_t> samples;
  for (std::int64_t x = 0; x < out; ++x) {
    // in integers, so that ties fall the same way everywhere
    const std::int64_t at = !align_corners ? (2 * x + 1) * in / (2 * out)
                            : out > 1      ? (2 * x * (in - 1) + out - 1) / (2 * (out - 1))
                                           : 0;
    samples.push_back(std::min(at, in - 1));
  }
  return samples;
}

}  // namespace atrous
