// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "import/network.h"

namespace atrous {

/// What the end of a model leaves to the engine, which normalises scores, brings them to the photo's size and
/// takes the best class itself.
struct Tail {
  bool resized = false;        ///< the last step brought the logits to the input's extent
  bool align_corners = false;  ///< ... by this rule
};

/// Drops argmax, softmax, sigmoid and a bilinear resize to the input's extent from the end. One class (a
/// sigmoid's) becomes two, background 0 and the class, whose softmax is the sigmoid.
Tail leave_tail_to_engine(ImportedNetwork& network);

/// Finds the activations that exporters spell out (silu, hardswish, hardsigmoid), makes zeros around a
/// convolution's input its padding, and drops what the output does not need.
void simplify(ImportedNetwork& network);

}  // namespace atrous
