// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "core/image.h"
#include "core/pixel_runs.h"

namespace atrous {

/// The connected parts of a label map: pixels of one id that share edges. Held as runs of rows, so that the
/// memory is that of the outlines, not of the pixels.
class ConnectedParts {
 public:
  explicit ConnectedParts(const LabelMap& labels);

  /// A number that all pixels of a part have and no other part has.
  std::int64_t part_of(int x, int y) const;

 private:
  int width_;
  std::vector<PixelRun> runs_;
  std::vector<std::size_t> first_;  ///< a run: the first one of its part
};

}  // namespace atrous
