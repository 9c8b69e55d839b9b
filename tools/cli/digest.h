// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace atrous::cli {

/// SHA-256 (FIPS 180-4) as 64 hexadecimal digits, the same that `sha256sum` prints.
std::string sha256(std::span<const std::byte> data);

}  // namespace atrous::cli
