// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <opencv2/core.hpp>

#include "core/image.h"

namespace atrous {

/// Somebody else's pixels as OpenCV's matrix (RGB), to be read only.
inline cv::Mat borrow(const ImageView& image) {
  return {image.height, image.width, CV_8UC3, const_cast<std::uint8_t*>(image.data),
          static_cast<std::size_t>(image.stride)};
}

}  // namespace atrous
