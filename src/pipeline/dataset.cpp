// SPDX-License-Identifier: Apache-2.0
#include "pipeline/dataset.h"

#include <algorithm>
#include <iterator>

#include "config/labels.h"
#include "core/error.h"
#include "pipeline/inputs.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;

bool is_folder(const fs::path& path) {
  std::error_code status;
  return fs::is_directory(path, status);
}

/// The ids of Cityscapes that are scored; their position is the train id.
constexpr int kCityscapesIds[] = {7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33};
constexpr int kCityscapesClasses = static_cast<int>(std::size(kCityscapesIds));
constexpr int kAde20kClasses = 150;

IdTable cityscapes_ids() {
  IdTable table;
  table.fill(kIgnore);
  for (std::size_t train_id = 0; train_id < std::size(kCityscapesIds); ++train_id)
    table[static_cast<std::size_t>(kCityscapesIds[train_id])] = static_cast<std::uint8_t>(train_id);
  return table;
}

IdTable cityscapes_train_ids() {
  IdTable table = ids_as_they_are();
  std::fill(table.begin() + kCityscapesClasses, table.end(), kIgnore);
  return table;
}

/// 0 is ignored, the classes count from 1.
IdTable ade20k_ids() {
  IdTable table = ids_as_they_are();
  std::copy(table.begin(), table.begin() + kAde20kClasses, table.begin() + 1);
  table[0] = kIgnore;
  return table;
}

/// The regular files below `folder` whose name ends with `ending`.
std::vector<fs::path> files_below(const fs::path& folder, std::string_view ending) {
  std::vector<fs::path> files;
  std::error_code status;
  for (fs::recursive_directory_iterator it(folder, status), end; !status && it != end; it.increment(status))
    if (it->path().filename().string().ends_with(ending)) files.push_back(it->path());
  if (status) fail(ErrorCode::io, "{}: {}", folder.string(), status.message());
  std::sort(files.begin(), files.end());
  return files;
}

Dataset read_voc(const fs::path& folder, const std::string& split) {
  Dataset set{"VOC", "voc", {}, ids_as_they_are(), {}};
  const fs::path list = folder / "ImageSets/Segmentation" / (split + ".txt");
  for (const std::string& name : read_words(list))
    set.items.push_back(
        {name, folder / "JPEGImages" / (name + ".jpg"), folder / "SegmentationClass" / (name + ".png")});
  if (set.items.empty()) fail(ErrorCode::not_found, "{}: names no image", list.string());
  return set;
}

Dataset read_cityscapes(const fs::path& folder, const std::string& split) {
  Dataset set{"Cityscapes", "cityscapes", kCityscapesClasses, cityscapes_ids(), {}};
  const fs::path truths = folder / "gtFine" / split, photos = folder / "leftImg8bit" / split;
  std::string_view ending = "_gtFine_labelIds.png";
  std::vector<fs::path> files = files_below(truths, ending);
  if (files.empty()) {
    ending = "_gtFine_labelTrainIds.png";
    files = files_below(truths, ending);
    set.ids = cityscapes_train_ids();
  }
  for (const fs::path& file : files) {
    std::string stem = file.lexically_relative(truths).string();
    stem.replace(stem.size() - ending.size(), ending.size(), "_leftImg8bit");
    set.items.push_back({stem, photos / (stem + ".png"), file});
  }
  if (files.empty())
    fail(ErrorCode::not_found, "{}: there are no label maps (*_gtFine_labelIds.png) in this folder",
         truths.string());
  return set;
}

Dataset read_ade20k(const fs::path& folder, const std::string& split) {
  Dataset set{"ADE20K", "ade20k", kAde20kClasses, ade20k_ids(), {}};
  const std::string name = split == "val" ? "validation" : split == "train" ? "training" : split;
  const fs::path truths = folder / "annotations" / name, photos = folder / "images" / name;
  for (const fs::path& file : files_below(truths, ".png")) {
    const std::string stem = fs::path(file.lexically_relative(truths)).replace_extension().string();
    set.items.push_back({stem, photos / (stem + ".jpg"), file});
  }
  if (set.items.empty())
    fail(ErrorCode::not_found, "{}: there are no label maps (*.png) in this folder", truths.string());
  return set;
}

}  // namespace

IdTable ids_as_they_are() {
  IdTable table;
  for (std::size_t id = 0; id < table.size(); ++id) table[id] = static_cast<std::uint8_t>(id);
  return table;
}

std::optional<Dataset> find_dataset(const fs::path& folder, const std::string& split) {
  std::optional<Dataset> set;
  if (is_folder(folder / "SegmentationClass") && is_folder(folder / "ImageSets/Segmentation"))
    set = read_voc(folder, split);
  else if (is_folder(folder / "gtFine"))
    set = read_cityscapes(folder, split);
  else if (is_folder(folder / "annotations/validation") || is_folder(folder / "annotations/training"))
    set = read_ade20k(folder, split);
  if (set)
    std::sort(set->items.begin(), set->items.end(),
              [](const DatasetItem& a, const DatasetItem& b) { return a.stem < b.stem; });
  return set;
}

}  // namespace atrous
