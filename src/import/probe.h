// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "import/network.h"
#include "import/onnx_model.h"
#include "import/patterns.h"

namespace atrous {

/// A network that is right at every input extent that the model takes.
struct SizedNetwork {
  ImportedNetwork network;
  Tail tail;
  int height = 0, width = 0;  ///< of the input, where the model takes only one; else 0
  int multiple = 1;           ///< of which height and width must be
};

/// Translates a model at several input extents and compares: an extent that was computed from the input's
/// becomes that of another value, or a factor. Where odd extents do not fit (a U-Net), `multiple` is the
/// least power of two of which they must be. `height` and `width` (0: not given) fix what the model leaves
/// open. Throws Error without the file.
SizedNetwork translate_any_size(const OnnxModel& model, int height, int width);

}  // namespace atrous
