// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "core/image.h"

namespace atrous {

/// The connected parts of a label map: pixels of one id that share edges. Held as runs of rows, so that the
/// memory is that of the outlines, not of the pixels.
class ConnectedParts {
 public:
  explicit ConnectedParts(const LabelMap& labels);

  /// A number that all pixels of a part have and no other part has.
  std::int64_t part_of(int x, int y) const;

 private:
  std::size_t find(std::size_t run);
  void join(std::size_t a, std::size_t b);

  std::vector<int> begin_;              ///< a run's first column
  std::vector<std::size_t> part_;       ///< a run of the same part, of the first rows; then the first of all
  std::vector<std::size_t> row_begin_;  ///< runs of row y: [row_begin_[y], row_begin_[y + 1])
};

}  // namespace atrous
