// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "core/image.h"

namespace atrous {

/// OpenCV's people detector, as a plugin (image/plugin.h).
struct PeopleDetector {
  /// Pixels of the image, and how sure the detector is: a distance from its plane.
  struct Window {
    int x, y, width, height;
    double weight;
  };
  /// In any order; `scale_step` is the ratio of one size of window to the next.
  std::vector<Window> (*find)(const ImageView& image, double scale_step);
};

}  // namespace atrous
