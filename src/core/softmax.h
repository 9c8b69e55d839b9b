// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/fast_math.h"

namespace atrous {

/// out[c] = exp(in[c] - max) / sum over `classes` contiguous values; in may be out.
inline void softmax(const float* in, float* out, int classes) {
  float largest = in[0];
  for (int c = 1; c < classes; ++c) largest = in[c] > largest ? in[c] : largest;
  for (int c = 0; c < classes; ++c) out[c] = fast_exp(in[c] - largest);
  float sum = 0;
  for (int c = 0; c < classes; ++c) sum += out[c];
  const float inverse = 1.0F / sum;
  for (int c = 0; c < classes; ++c) out[c] *= inverse;
}

}  // namespace atrous
