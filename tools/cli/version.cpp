// SPDX-License-Identifier: Apache-2.0
#include "cli/version.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "backend/backend.h"
#include "core/error.h"

namespace atrous::cli {

std::string version_text() {
  std::string text = fmt::format("atrous {}\nbackends: {}\n", kVersion, fmt::join(compiled_backends(), ", "));
  for (Device device : find_devices())
    text += fmt::format("device {}: {}\n", to_string(device), make_backend(device)->describe());
  return text;
}

}  // namespace atrous::cli
