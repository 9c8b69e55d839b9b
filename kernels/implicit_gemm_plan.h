// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/conv2d_implicit_gemm.h"
#include "kernels/implicit_gemm_geometry.h"

namespace atrous::cuda {

/// The problem as a matrix product in tiles of this rectangle.
GemmGeometry geometry_of(const Conv2dProblem& problem, int tile_h, int tile_w);

/// The same convolution with the pixels of all images in one row, where neither taps nor padding tell them
/// apart: a pointwise one, or a window as large as a dense input.
Conv2dProblem in_one_row(const Conv2dProblem& problem);

}  // namespace atrous::cuda
