// SPDX-License-Identifier: Apache-2.0
#include "image/plugin.h"

#include <dlfcn.h>

#include "core/error.h"
#include "core/installed.h"

namespace atrous {

const void* load_plugin(const std::string& name) {
  const std::string wanted = fmt::format("{}/{}.so", ATROUS_PLUGIN_DIR, name);
  const std::string file = find_installed(wanted).string();
  if (file.empty()) fail(ErrorCode::unsupported, "atrous is not installed as a whole: {} is missing", wanted);
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  const void* table = library != nullptr ? dlsym(library, ("atrous_" + name).c_str()) : nullptr;
  if (table == nullptr) fail(ErrorCode::unsupported, "a part of atrous cannot be loaded: {}", dlerror());
  return table;
}

}  // namespace atrous
