// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backend/backend.h"

/// What stands before and after the network, on the host; Stream's functions of the same names.
namespace atrous {

void normalise_pixels(const ImageView& scaled, const PixelTable& table, bool flip, const Shape& input,
                      float* image);
bool upsample_labels(const LogitsView& logits, const PhotoSampling& photo, std::uint8_t* labels);
bool upsample_scores(const LogitsView& logits, const PhotoSampling& photo, bool softmax, float* scores);

}  // namespace atrous
