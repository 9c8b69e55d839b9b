// SPDX-License-Identifier: Apache-2.0
#include "image/plugin.h"

#include <dlfcn.h>

#include "core/error.h"
#include "core/installed.h"

namespace atrous {

const void* load_plugin(const std::string& name) {
  namespace fs = std::filesystem;
  const Origin& here = origin();
  const fs::path libraries = here.is_program ? here.folder / ATROUS_LIBDIR_FROM_BINDIR : here.folder,
                 file = libraries / ATROUS_PLUGIN_DIR / (name + ".so");
  std::error_code status;
  if (here.folder.empty() || !fs::exists(file, status))
    fail(ErrorCode::unsupported, "atrous is not installed as a whole: {} is missing",
         file.lexically_normal().string());
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  const void* table = library != nullptr ? dlsym(library, ("atrous_" + name).c_str()) : nullptr;
  if (table == nullptr) fail(ErrorCode::unsupported, "a part of atrous cannot be loaded: {}", dlerror());
  return table;
}

}  // namespace atrous
