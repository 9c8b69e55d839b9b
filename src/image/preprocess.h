// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "config/model_config.h"
#include "core/image.h"
#include "core/resample.h"

namespace atrous {

/// How a photo lies in the network's input: scaled to scaled_width x scaled_height in the top left corner of
/// width x height, the rest padded with the mean.
struct Geometry {
  int photo_width = 0, photo_height = 0;
  int scaled_width = 0, scaled_height = 0;
  int width = 0, height = 0;
  bool operator==(const Geometry&) const = default;
};

/// Of an input that is not cut into tiles.
inline constexpr std::int64_t kMostInputPixels = std::int64_t{1} << 28;

/// `scale` multiplies the scaled size (multi-scale inference). Throws Error{invalid_argument} where the
/// result has more than `most_pixels`.
Geometry plan_geometry(const InputSpec& input, int photo_width, int photo_height, double scale = 1,
                       std::int64_t most_pixels = kMostInputPixels);

/// How the photo's pixels read the network's output of `logits_width` x `logits_height`.
PhotoSampling sample_logits(const Geometry& geometry, std::int64_t logits_width, std::int64_t logits_height,
                            bool align_corners, bool mirrored);

/// The photo at scaled_width x scaled_height: bilinear, by area where it shrinks to less than half. `memory`
/// holds the pixels where they are not the photo's own.
ImageView scale_photo(const ImageView& photo, const Geometry& geometry, Image& memory);

PixelTable pixel_table(const InputSpec& input);

}  // namespace atrous
