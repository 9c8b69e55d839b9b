// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace atrous {

/// The model the command line and the library use when none is named.
inline constexpr std::string_view kDefaultModel = "clothing-lite0";

/// Folders that hold configs/ and models/: those of ATROUS_MODEL_PATH (separated by ':'), the install's
/// share/atrous, the source tree this was built from. Only those that exist.
std::vector<std::filesystem::path> model_roots();

/// Where a config's blocks, labels and weights are looked up: configs/, configs/labels/, configs/blocks/ and
/// models/ of each root.
std::vector<std::filesystem::path> search_folders();

/// All model configs on the path, sorted by name; the first root that has a name wins.
std::vector<std::filesystem::path> list_models();

/// A path to a YAML as it is, or a model's name. Throws Error{not_found} that says where was looked.
std::filesystem::path find_model(std::string_view name_or_path);

}  // namespace atrous
