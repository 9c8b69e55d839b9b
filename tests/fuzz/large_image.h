// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "image/codec.h"
#include "image/sniff.h"

namespace atrous::fuzz {

/// Whether an image claims a size that is allowed, but that only takes long. Throws what sniff() throws.
inline bool is_large_image(std::span<const std::byte> file) {
  const ImageHeader header = sniff(file, "image");
  const std::int64_t height = std::max<std::int64_t>(header.height, 1);
  return header.width > (1 << 20) / height && header.width <= kMostImagePixels / height;
}

}  // namespace atrous::fuzz
