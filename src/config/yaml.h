// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "core/value.h"

namespace atrous {

/// Reads a YAML file as a Value tree. The file is not trusted: its size, depth and number of values (aliases
/// counted each time they are used) are limited. Throws Error{not_found | bad_config}: "file:line: reason".
Value load_yaml(const std::filesystem::path& file);

/// Same, from text; `name` stands for the file in messages.
Value parse_yaml(const std::string& text, const std::string& name);

}  // namespace atrous
