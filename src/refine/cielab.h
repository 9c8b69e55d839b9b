// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "core/image.h"

namespace atrous {

/// sRGB to CIELAB (D65), three floats a pixel.
std::vector<float> to_cielab(const ImageView& image);

}  // namespace atrous
