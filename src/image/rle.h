// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "config/labels.h"
#include "core/image.h"

namespace atrous {

/// A label map as a COCO data set of one image, JSON that pycocotools loads:
///     {"images":      [{"id": 1, "file_name", "width", "height"}],
///      "categories":  [{"id", "name", "color": [r, g, b]}, ...]          every class of the set
///      "annotations": [{"id", "image_id": 1, "category_id", "category_name", "segmentation", "area",
///                       "bbox": [x, y, width, height], "iscrowd": 0}, ...]}
/// One annotation a class present, by rising id; `category_id` is the class id, the pixel of the mask PNG,
/// and `id` is that plus 1 (0 stands for nothing in COCO), so that with file_name an annotation is an entry
/// of COCO panoptic's segments_info. `segmentation` is {"size": [height, width], "counts"}: COCO's compressed
/// run lengths, column by column. Ids outside the set, 255 (ignore) among them, are in no annotation.
std::string encode_rle(const LabelMap& labels, const LabelSet& set, const std::string& file_name);

}  // namespace atrous
