// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "core/large_vector.h"

namespace atrous {

/// The indices of width x height pixels along a Z-order curve of blocks of 8x8, so that pixels near each
/// other follow each other.
LargeVector<std::int32_t> pixel_order(int width, int height);

}  // namespace atrous
