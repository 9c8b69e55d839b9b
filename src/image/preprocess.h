// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "config/model_config.h"
#include "core/image.h"

namespace atrous {

/// How a photo lies in the network's input: scaled to scaled_width x scaled_height in the top left corner of
/// width x height, the rest padded with the mean.
struct Geometry {
  int photo_width = 0, photo_height = 0;
  int scaled_width = 0, scaled_height = 0;
  int width = 0, height = 0;
  bool operator==(const Geometry&) const = default;
};

/// `scale` multiplies the scaled size (multi-scale inference). Throws Error{invalid_argument} where the
/// result is larger than 2^28 pixels.
Geometry plan_geometry(const InputSpec& input, int photo_width, int photo_height, double scale = 1);

/// Position on an axis of the network's output that a photo's pixel reads: factor * pixel + offset.
struct AxisMap {
  double factor, offset;
};
/// `logits` is the output's extent along the axis; the other numbers are Geometry's along it.
AxisMap photo_to_logits(int photo, int scaled, int padded, int logits, bool align_corners);

/// Writes the normalised input, f32 [height, width, 3]; mirrored left to right where `flip`.
void preprocess(const ImageView& photo, const InputSpec& input, const Geometry& geometry, bool flip,
                float* out);

}  // namespace atrous
