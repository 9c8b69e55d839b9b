// SPDX-License-Identifier: Apache-2.0
#include "core/installed.h"

#include <dlfcn.h>
#include <link.h>

#include <climits>

namespace atrous {
namespace {

namespace fs = std::filesystem;

/// The dynamic linker knows a library by the name that it was loaded with, which may be relative to a folder
/// that is no longer the current one, and by the folder that it was loaded from.
Origin find_origin() {
  std::error_code status;
  const Origin program{fs::canonical("/proc/self/exe", status).parent_path(), true};
  Dl_info info{};
  void* extra = nullptr;
  if (dladdr1(reinterpret_cast<const void*>(&find_origin), &info, &extra, RTLD_DL_LINKMAP) == 0) return {};
  const auto* map = static_cast<link_map*>(extra);
  if (map->l_name == nullptr || *map->l_name == '\0') return program;
  char folder[PATH_MAX];
  if (dlinfo(extra, RTLD_DI_ORIGIN, folder) != 0) return {};
  return {fs::canonical(folder / fs::path(map->l_name).filename(), status).parent_path()};
}

}  // namespace

const Origin& origin() {
  static const Origin kOrigin = find_origin();
  return kOrigin;
}

fs::path find_installed(const fs::path& path) {
  std::error_code status;
  for (fs::path folder = origin().folder; folder.has_relative_path(); folder = folder.parent_path())
    if (fs::exists(folder / path, status)) return folder / path;
  return {};
}

}  // namespace atrous
