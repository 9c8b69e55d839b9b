// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "core/image.h"

namespace atrous {

/// The pixels of a whole file as they are stored, not turned; none where the file is broken. Grey is
/// repeated, of 16 bits the upper 8 count, alpha is dropped, inks (CMYK) become light.
Image decode_jpeg(std::span<const std::byte> file);
Image decode_png(std::span<const std::byte> file);

}  // namespace atrous
