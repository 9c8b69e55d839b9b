// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "core/image.h"

namespace atrous {

/// CIELAB (D65), a plane a channel, row by row.
struct LabImage {
  static constexpr std::ptrdiff_t kLanes = 8;  ///< rows are a multiple of it apart
  std::ptrdiff_t stride = 0;                   ///< elements from row to row; what lies past the width is 0
  std::vector<float> l, a, b;
};

/// Of an sRGB image.
LabImage to_cielab(const ImageView& image);

}  // namespace atrous
