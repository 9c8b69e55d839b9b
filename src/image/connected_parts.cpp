// SPDX-License-Identifier: Apache-2.0
#include "image/connected_parts.h"

#include <algorithm>

namespace atrous {

ConnectedParts::ConnectedParts(const LabelMap& labels) : row_begin_{0} {
  const auto width = static_cast<std::size_t>(labels.width);
  for (int y = 0; y < labels.height; ++y) {
    const std::uint8_t* row = labels.ids.data() + static_cast<std::size_t>(y) * width;
    for (int x = 0; x < labels.width; ++x)
      if (x == 0 || row[x] != row[x - 1]) part_.push_back(begin_.size()), begin_.push_back(x);
    row_begin_.push_back(begin_.size());
    if (y == 0) continue;
    const std::uint8_t* above = row - width;
    const std::size_t middle = row_begin_[row_begin_.size() - 2], end = row_begin_.back();
    std::size_t upper = row_begin_[row_begin_.size() - 3], lower = middle;
    while (upper < middle && lower < end) {  // pairs of runs that share columns
      const int column = std::max(begin_[upper], begin_[lower]);
      if (above[column] == row[column]) join(upper, lower);
      const int upper_end = upper + 1 < middle ? begin_[upper + 1] : labels.width;
      const int lower_end = lower + 1 < end ? begin_[lower + 1] : labels.width;
      if (upper_end <= lower_end) ++upper;
      if (lower_end <= upper_end) ++lower;
    }
  }
  for (std::size_t run = 0; run < part_.size(); ++run) part_[run] = find(run);
}

std::int64_t ConnectedParts::part_of(int x, int y) const {
  const auto row = static_cast<std::size_t>(y);
  const auto first = begin_.begin() + static_cast<std::ptrdiff_t>(row_begin_[row]);
  const auto last = begin_.begin() + static_cast<std::ptrdiff_t>(row_begin_[row + 1]);
  const auto after = std::upper_bound(first, last, x);
  return static_cast<std::int64_t>(part_[static_cast<std::size_t>(after - begin_.begin()) - 1]);
}

std::size_t ConnectedParts::find(std::size_t run) {
  while (part_[run] != run) run = part_[run] = part_[part_[run]];
  return run;
}

void ConnectedParts::join(std::size_t a, std::size_t b) {
  a = find(a), b = find(b);
  part_[std::max(a, b)] = std::min(a, b);  // the root is a part's first run
}

}  // namespace atrous
