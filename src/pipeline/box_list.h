// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/inputs.h"

namespace atrous {

/// "x,y,w,h" in pixels, fractions allowed. Throws Error{invalid_argument}.
PhotoBox parse_box(std::string_view text);

/// A person's box in a photo, from a line of a file.
struct BoxLine {
  std::string file;
  PhotoBox box;
  int line = 0;
};

/// A CSV of boxes, `file,x,y,w,h` a line; several lines of one file are several people. `file` may be in
/// double quotes and may hold commas. Empty lines, lines that begin with '#' and a header (a first line
/// without numbers) are left out. Throws Error{not_found | io | bad_file} "FILE:LINE: reason".
std::vector<BoxLine> load_boxes(const std::filesystem::path& file);

/// Gives each input the boxes of its lines. A line means the input at that path, as given or within the input
/// folder; where there is none, the one input of that file name. Returns the lines that name no input. Throws
/// Error{invalid_argument} "CSV:LINE: ..." where a bare name is that of several inputs.
std::vector<BoxLine> assign_boxes(const std::filesystem::path& csv, std::span<const BoxLine> lines,
                                  std::span<InputFile> inputs);

}  // namespace atrous
