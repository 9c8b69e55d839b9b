// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

namespace atrous {

/// Where the library or program is that this code is part of.
struct Origin {
  std::filesystem::path folder;  ///< absolute, links resolved; empty where the system does not say
  bool is_program = false;
};
const Origin& origin();

/// PATH (relative) in that folder or in the nearest one above it that has it, so that an install can be
/// moved; empty where none has it. For data, not for code: anybody may be able to write into a folder above.
std::filesystem::path find_installed(const std::filesystem::path& path);

}  // namespace atrous
