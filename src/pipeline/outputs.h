// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "config/labels.h"
#include "pipeline/segmenter.h"

namespace atrous {

/// Which files to write for an image.
struct SaveOptions {
  bool mask = true, overlay = false, color = false, probs = false, templates = false, rle = false,
       polygons = false;
};

/// A kind of file that is written for an image.
struct OutputKind {
  const char* name;  ///< what --save calls it
  bool SaveOptions::*wanted;
  const char* ending;  ///< the file is FOLDER/STEM and this
  const char* media_type;
};
inline constexpr OutputKind kOutputKinds[] = {
    {"mask", &SaveOptions::mask, ".png", "image/png"},
    {"overlay", &SaveOptions::overlay, ".overlay.jpg", "image/jpeg"},
    {"color", &SaveOptions::color, ".color.png", "image/png"},
    {"probs", &SaveOptions::probs, ".probs.npy", "application/x-npy"},
    {"templates", &SaveOptions::templates, ".templates.jpg", "image/jpeg"},
    {"rle", &SaveOptions::rle, ".rle.json", "application/json"},
    {"polygons", &SaveOptions::polygons, ".geojson", "application/geo+json"}};

/// The file of that kind. `result` must hold what the kind shows (SegmentOptions::want_...); `name` stands
/// for the photo in JSON.
std::vector<std::byte> encode_output(const OutputKind& kind, const ImageView& photo,
                                     const SegmentResult& result, const LabelSet& labels,
                                     const std::string& name);

}  // namespace atrous
