// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <new>
#include <span>
#include <vector>

#include "core/image.h"
#include "image/sniff.h"

namespace atrous {

/// The pixels of a whole file as they are stored, not turned; none where the file is broken, or where the
/// decoder finds another extent than the header, which has been checked. Grey is repeated, of 16 bits the
/// upper 8 count, alpha is dropped, inks (CMYK) become light.
Image decode_jpeg(std::span<const std::byte> file, const ImageHeader& header);
Image decode_png(std::span<const std::byte> file, const ImageHeader& header);

/// Adds bytes where C calls back, into which nothing may be thrown: false where there is no memory for them.
inline bool append(std::vector<std::byte>& file, const void* bytes, std::size_t count) {
  try {
    const auto* begin = static_cast<const std::byte*>(bytes);
    file.insert(file.end(), begin, begin + count);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

}  // namespace atrous
