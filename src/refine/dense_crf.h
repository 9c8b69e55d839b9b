// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/image.h"
#include "refine/crf_params.h"

namespace atrous {

/// Milliseconds of dense_crf().
struct CrfTimes {
  double build = 0;   ///< lattices and their normalisation; on superpixels: those and their kernels
  double filter = 0;  ///< splats and blurs of all iterations
  double update = 0;  ///< slices, softmax and noting changes of all iterations, and the result
};

/// Mean field of the fully connected CRF: Q_0 = softmax(-U), then `iterations` times
///   Q <- softmax(-U - sum_m w_m mu (K_m Q)),   for Potts mu the same as softmax(-U + sum_m w_m K_m Q),
/// with K_m the normalised kernels over pixels, filtered by permutohedral lattices; a pixel's own term is
/// kept, as in the authors' library. `times`, where given, is filled. `unary` holds U = -log p; the result
/// holds Q. On superpixels: see superpixel_crf.h. The image must have the scores' size, the values must be
/// finite: Error{invalid_argument}. Runs on the caller's OpenMP team; the result does not depend on its size.
ScoreMap dense_crf(ScoreMap unary, const ImageView& image, const CrfParams& params,
                   CrfTimes* times = nullptr);

}  // namespace atrous
