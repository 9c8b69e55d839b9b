// SPDX-License-Identifier: Apache-2.0
#include "config/model_path.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "core/error.h"
#include "core/value.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kModelFolders[] = {"deeplab", "parsing"};

/// share/atrous beside the library or program this code is part of, so that an install can be moved. Of a
/// program that was found on PATH the dynamic linker knows the name alone.
fs::path installed_share() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&installed_share), &info) == 0 || info.dli_fname == nullptr)
    return {};
  std::error_code status;
  fs::path binary;
  if (std::string_view(info.dli_fname).find('/') != std::string_view::npos)
    binary = fs::canonical(info.dli_fname, status);
  if (binary.empty()) binary = fs::canonical("/proc/self/exe", status);
  for (fs::path folder = binary.parent_path(); folder.has_relative_path(); folder = folder.parent_path())
    if (fs::exists(folder / "share/atrous/configs", status)) return folder / "share/atrous";
  return {};
}

bool is_yaml(const fs::path& path) { return path.extension() == ".yaml" || path.extension() == ".yml"; }

}  // namespace

std::vector<fs::path> model_roots() {
  std::vector<fs::path> candidates;
  if (const char* variable = std::getenv("ATROUS_MODEL_PATH")) {
    std::string_view rest = variable;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(':'), rest.size());
      candidates.emplace_back(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  candidates.push_back(installed_share());
  candidates.emplace_back(ATROUS_SOURCE_DIR);
  std::vector<fs::path> roots;
  std::error_code status;
  for (const fs::path& candidate : candidates)
    if (!candidate.empty() && fs::is_directory(candidate, status)) roots.push_back(candidate);
  return roots;
}

std::vector<fs::path> search_folders() {
  std::vector<fs::path> folders;
  for (const fs::path& root : model_roots())
    for (std::string_view folder : {"configs", "configs/labels", "configs/blocks", "models"})
      folders.push_back(root / folder);
  return folders;
}

std::vector<fs::path> list_models() {
  std::map<std::string, fs::path> found;
  std::error_code status;
  for (const fs::path& root : model_roots())
    for (std::string_view folder : kModelFolders)
      for (const auto& entry : fs::directory_iterator(root / "configs" / folder, status))
        if (is_yaml(entry.path())) found.emplace(entry.path().stem().string(), entry.path());
  std::vector<fs::path> models;
  for (const auto& [name, path] : found) models.push_back(path);
  return models;
}

fs::path find_model(std::string_view name_or_path) {
  const fs::path path(name_or_path.empty() ? kDefaultModel : name_or_path);
  if (is_yaml(path) || path.extension() == ".onnx" || path.has_parent_path()) {
    std::error_code status;
    if (!fs::is_regular_file(path, status))
      fail(ErrorCode::not_found, "model '{}': there is no such file", path.string());
    return path;
  }
  std::vector<std::string> names;
  for (const fs::path& model : list_models()) {
    if (model.stem() == path) return model;
    names.push_back(model.stem().string());
  }
  fail(ErrorCode::not_found, "model '{}' is not known{} (`atrous models` lists what there is)", path.string(),
       did_you_mean(path.string(), names));
}

}  // namespace atrous
