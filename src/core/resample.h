// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "core/types.h"

namespace atrous {

/// value = in[low] + (in[high] - in[low]) * weight.
struct LinearSample {
  std::int64_t low, high;
  float weight;
};

/// What to read at position `at` of an axis of `in` elements; outside the axis the border repeats.
LinearSample linear_sample(double at, std::int64_t in);

/// Position on an axis of the network's output that a photo's pixel reads: factor * pixel + offset. Where
/// photo and output are parts of larger ones, the pixel counts from the whole photo's border, of which the
/// part begins at `first`, and the position from the whole output's, of which ours begins at `origin`: a part
/// gets exactly the weights that the whole would.
struct AxisMap {
  double factor = 1, offset = 0;
  int first = 0, origin = 0;
};

/// One image of the network's output, on the device: logits [h, w, classes].
struct LogitsView {
  const void* data = nullptr;
  std::int64_t width = 0, height = 0, pitch = 0;
  int classes = 0;
  DType dtype = DType::f32;
};

/// How a photo's pixels read the network's output, bilinearly.
struct PhotoSampling {
  int width = 0, height = 0;  ///< of the photo
  AxisMap columns, rows;
  bool mirrored = false;  ///< the network saw the photo mirrored: its pixel x lies at width - 1 - x
                          ///< (columns.first then counts from the right border)
};

/// One axis of a bilinear resize: half-pixel (x+0.5)*in/out - 0.5, or align_corners x*(in-1)/(out-1).
std::vector<LinearSample> linear_samples(std::int64_t in, std::int64_t out, bool align_corners);

/// One axis of a nearest resize: floor((x+0.5)*in/out), or x*(in-1)/(out-1) rounded half up.
std::vector<std::int64_t> nearest_samples(std::int64_t in, std::int64_t out, bool align_corners);

}  // namespace atrous
