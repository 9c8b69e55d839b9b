// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/image.h"
#include "graph/executor.h"
#include "image/preprocess.h"

namespace atrous {

/// Where a photo's pixels read the network's output (one image of it).
struct LogitsView {
  const float* data = nullptr;
  std::int64_t width = 0, height = 0, pitch = 0;
  int classes = 0;
  bool mirrored = false;  ///< the input was: pixel x of the photo lies at width - 1 - x
};

/// Bilinear, at the photo's size: f32 [height, width, classes].
ScoreMap upsample(const LogitsView& logits, const Geometry& geometry, bool align_corners);

/// The best class of upsample(), without the full-size scores; the lowest id wins a tie.
LabelMap upsample_argmax(const LogitsView& logits, const Geometry& geometry, bool align_corners);

}  // namespace atrous
