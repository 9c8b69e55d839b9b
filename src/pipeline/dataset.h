// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace atrous {

/// What a pixel of a label map means: the class of each raw id, kIgnore for none.
using IdTable = std::array<std::uint8_t, 256>;

IdTable ids_as_they_are();

struct DatasetItem {
  std::string stem;                     ///< of its photo, with the folder of its city in Cityscapes
  std::filesystem::path photo, labels;  ///< need not exist
};

/// A split of a data set in its publisher's folders.
struct Dataset {
  std::string layout;              ///< "VOC", "Cityscapes" or "ADE20K"
  std::string label_set;           ///< of configs/labels
  std::optional<int> classes;      ///< that its ids always mean; none where others use the layout for theirs
  IdTable ids;                     ///< of its label maps
  std::vector<DatasetItem> items;  ///< sorted by stem
};

/// The data set in `folder`, or none where its folders are those of none of these:
/// - VOC: SegmentationClass/NAME.png, JPEGImages/NAME.jpg, the names in ImageSets/Segmentation/SPLIT.txt
/// - Cityscapes: gtFine/SPLIT/CITY/NAME_gtFine_labelIds.png, or where there are none of these
///   ..._labelTrainIds.png; leftImg8bit/SPLIT/CITY/NAME_leftImg8bit.png
/// - ADE20K: annotations/SPLIT/NAME.png, images/SPLIT/NAME.jpg, "val" being validation and "train" training
///
/// Throws Error{not_found} where the split is missing or empty.
std::optional<Dataset> find_dataset(const std::filesystem::path& folder, const std::string& split);

}  // namespace atrous
