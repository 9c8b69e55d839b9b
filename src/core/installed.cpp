// SPDX-License-Identifier: Apache-2.0
#include "core/installed.h"

#include <dlfcn.h>

#include <string_view>

namespace atrous {
namespace {

namespace fs = std::filesystem;

/// Of a program that was found on PATH the dynamic linker knows the name alone.
fs::path this_binary() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&this_binary), &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code status;
  fs::path binary;
  if (std::string_view(info.dli_fname).find('/') != std::string_view::npos)
    binary = fs::canonical(info.dli_fname, status);
  return binary.empty() ? fs::canonical("/proc/self/exe", status) : binary;
}

}  // namespace

fs::path find_installed(const fs::path& path) {
  std::error_code status;
  for (fs::path folder = this_binary().parent_path(); folder.has_relative_path();
       folder = folder.parent_path())
    if (fs::exists(folder / path, status)) return folder / path;
  return {};
}

}  // namespace atrous
