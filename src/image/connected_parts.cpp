// SPDX-License-Identifier: Apache-2.0
#include "image/connected_parts.h"

#include <algorithm>

namespace atrous {

ConnectedParts::ConnectedParts(const LabelMap& labels)
    : width_(labels.width),
      runs_(find_runs(labels.ids, labels.width)),
      first_(find_components(runs_, labels.width)) {}

std::int64_t ConnectedParts::part_of(int x, int y) const {
  const std::int64_t pixel = std::int64_t{y} * width_ + x;
  const auto after = std::upper_bound(runs_.begin(), runs_.end(), pixel,
                                      [](std::int64_t at, const PixelRun& run) { return at < run.begin; });
  return static_cast<std::int64_t>(first_[static_cast<std::size_t>(after - runs_.begin()) - 1]);
}

}  // namespace atrous
