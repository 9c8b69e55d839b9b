// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "refine/dense_crf.h"

namespace atrous {

/// The fully connected CRF at half resolution: its nodes are squares of 2x2 pixels (fewer at the right and
/// the lower border) with their mean colour and unary, for which dense_crf() computes Q. The messages of its
/// last step, log Q + U but for a constant a node, are interpolated bilinearly between the squares' centres,
/// and each pixel's Q is softmax(messages - U). Sizes must agree. The result does not depend on the size of
/// the caller's OpenMP team.
ScoreMap square_crf(const ScoreMap& unary, const ImageView& image, const CrfParams& params, CrfTimes& times);

}  // namespace atrous
