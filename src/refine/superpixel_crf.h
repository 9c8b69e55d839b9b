// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "refine/dense_crf.h"
#include "refine/superpixel.h"

namespace atrous {

/// The fully connected CRF with superpixels as its nodes: each stands for its n pixels, spread normally about
/// their mean position and colour, and a kernel between two is the mean of the pixels' kernel, which is
/// Gaussian again: with v = sxy^2 + v_a + v_b (variances along an axis),
///   k(a, b) = n_b sxy^2 / v exp(-|p_a - p_b|^2 / (2 v)), times (srgb^2 / u)^1.5 exp(-|I_a - I_b|^2 / (2 u))
/// for colour. A node's unary is the mean of its pixels'; the messages of the last iteration go to every
/// pixel of the node, where they meet the pixel's own unary. Sizes must agree. The result does not depend on
/// the size of the caller's OpenMP team.
ScoreMap superpixel_crf(const ScoreMap& unary, const ImageView& image, const CrfParams& params,
                        const Superpixels& nodes, CrfTimes& times);

}  // namespace atrous
