// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace atrous::cuda {

/// Throws Error{internal, "<doing>: <reason>"}. Apart from core/error.h so that nvcc need not read the
/// formatting library.
[[noreturn]] void launch_error(const std::string& doing, const std::string& reason);

}  // namespace atrous::cuda
