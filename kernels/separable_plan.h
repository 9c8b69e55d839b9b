// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/implicit_gemm_geometry.h"
#include "kernels/separable.h"

namespace atrous::cuda {

/// The geometry that separable_tile.h wants, in tiles of this rectangle.
GemmGeometry separable_geometry(const SeparableProblem& problem, int tile_h, int tile_w);

}  // namespace atrous::cuda
