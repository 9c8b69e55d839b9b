// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

namespace atrous {

/// PATH (relative) in the folder of the library or program that this code is part of, or in the nearest
/// folder above that has it, so that an install can be moved; empty where none has it.
std::filesystem::path find_installed(const std::filesystem::path& path);

}  // namespace atrous
