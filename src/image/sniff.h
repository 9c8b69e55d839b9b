// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace atrous {

/// What a file's first bytes say it is.
struct ImageHeader {
  std::string_view format;
  std::int64_t width = 0, height = 0;  ///< before EXIF turns it
  int orientation = 1;  ///< EXIF's, 1 to 8, of the first that makes sense; of a TIFF 1: OpenCV turns it
};

/// Reads the header, and checks that a JPEG or PNG has its end: their decoders fill what is missing with grey
/// instead of failing. Throws Error{bad_file}.
ImageHeader sniff(std::span<const std::byte> file, const std::string& name);

}  // namespace atrous
