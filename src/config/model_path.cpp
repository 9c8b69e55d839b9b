// SPDX-License-Identifier: Apache-2.0
#include "config/model_path.h"

#include <algorithm>
#include <cstdlib>
#include <map>

#include "core/error.h"
#include "core/installed.h"
#include "core/value.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kModelFolders[] = {"deeplab", "parsing"};

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
  candidates.push_back(find_installed("share/atrous/configs").parent_path());
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
