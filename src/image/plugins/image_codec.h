// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "core/image.h"

namespace atrous {

/// OpenCV's image files, as a plugin (image/plugin.h).
struct ImageCodec {
  /// The pixels of a WebP, TIFF or BMP file; of these a TIFF is turned as it says. None where the file is
  /// broken or memory is short.
  Image (*decode)(std::span<const std::byte> file);
};

}  // namespace atrous
