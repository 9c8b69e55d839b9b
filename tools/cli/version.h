// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace atrous::cli {

inline constexpr std::string_view kVersion = ATROUS_VERSION;

/// What `atrous --version` prints: version, backends compiled in, devices found.
std::string version_text();

}  // namespace atrous::cli
