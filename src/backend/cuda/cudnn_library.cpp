// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/cudnn_library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <vector>

#include "core/error.h"

namespace atrous::cudnn {
namespace {

namespace fs = std::filesystem;

constexpr const char* kName = "libcudnn.so.9";
static_assert(CUDNN_MAJOR == 9, "the headers must be those of the library that is loaded");

/// Where the package nvidia-cudnn puts the library below a Python environment.
std::vector<std::string> in_environment(const fs::path& root) {
  std::vector<std::string> found;
  std::error_code error;
  for (const fs::directory_entry& folder : fs::directory_iterator(root / "lib", error)) {
    if (!folder.path().filename().string().starts_with("python3")) continue;
    const fs::path file = folder.path() / "site-packages/nvidia/cudnn/lib" / kName;
    if (fs::exists(file, error)) found.push_back(file.string());
  }
  return found;
}

std::vector<std::string> places() {
  if (const char* named = std::getenv("ATROUS_CUDNN"); named != nullptr && *named != '\0') {
    std::error_code error;
    const fs::path path = named;
    return {(fs::is_directory(path, error) ? path / kName : path).string()};
  }
  std::vector<std::string> result{kName};
  for (const char* variable : {"VIRTUAL_ENV", "CONDA_PREFIX"})
    if (const char* root = std::getenv(variable); root != nullptr && *root == '/')
      for (std::string& file : in_environment(root)) result.push_back(std::move(file));
  return result;
}

Library load() {
  Library result;
  void* handle = nullptr;
  for (const std::string& place : places()) {
    handle = dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle != nullptr) break;
    const char* reason = dlerror();
    if (result.why_none.empty()) result.why_none = reason != nullptr ? reason : "it cannot be loaded";
  }
  if (handle == nullptr) return result;
  result.why_none.clear();
  auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(handle, name));
    if (function == nullptr) result.why_none = fmt::format("it has no function {}", name);
  };
#define ATROUS_CUDNN_FIND(name) find(result.name, #name);
  ATROUS_CUDNN_FUNCTIONS(ATROUS_CUDNN_FIND)
#undef ATROUS_CUDNN_FIND
  if (!result.why_none.empty()) return {result.why_none, {}};
  const std::size_t version = result.cudnnGetVersion();
  if (version / 10000 != CUDNN_MAJOR) return {fmt::format("its version is {}", version), {}};
  result.version = fmt::format("{}.{}.{}", version / 10000, version % 10000 / 100, version % 100);
  return result;
}

}  // namespace

const Library& library() {
  static const Library loaded = load();
  return loaded;
}

void check(cudnnStatus_t status, const char* doing) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  char more[256] = "";
  library().cudnnGetLastErrorString(more, sizeof more);
  fail(ErrorCode::internal, "cuDNN, {}: {}{}{}", doing, library().cudnnGetErrorString(status),
       *more != '\0' ? ": " : "", more);
}

}  // namespace atrous::cudnn
