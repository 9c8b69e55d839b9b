// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/image.h"

namespace atrous {

/// What the two networks of active template regression say about one photo.
struct TemplateMasks {
  int height = 0, width = 0;       ///< of a mask
  std::vector<float> masks;        ///< [K, height, width], clamp(D_k alpha_k, 0, 1)
  std::vector<float> boxes;        ///< [K, 5]: cx, cy, sx, sy in shares of the network's map, visibility
  std::vector<std::string> names;  ///< K of them
  double map_width = 0, map_height = 0;  ///< the map's extent in pixels of the photo
};

/// One page: the photo with the boxes of what is visible (v of at least 0.5), and beside it every component's
/// mask in a cell with its name, visibility and box. A mask that is not visible is faint.
Image template_sheet(const ImageView& photo, const TemplateMasks& what);

}  // namespace atrous
