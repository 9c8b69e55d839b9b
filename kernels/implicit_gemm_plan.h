// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "kernels/conv2d_implicit_gemm.h"
#include "kernels/implicit_gemm_geometry.h"

/// What the host plans with: geometry, and a model of the time. Its unit is a cycle of one multiprocessor;
/// its constants are estimates, not measurements.
namespace atrous::cuda {

/// The problem as a matrix product in tiles of this rectangle.
GemmGeometry geometry_of(const Conv2dProblem& problem, int tile_h, int tile_w);

/// The same convolution with the pixels of all images in one row, where neither taps nor padding tell them
/// apart: a pointwise one, or a window as large as a dense input.
Conv2dProblem in_one_row(const Conv2dProblem& problem);

/// Filling a tile's pipeline and storing its sums.
constexpr double kTileCycles = 3000;
/// Elements of K that a step covers.
int step_elements(GemmMath math, DType dtype);
/// One step of K on a multiprocessor that does nothing else.
double cycles_of_step(GemmMath math, DType dtype, const ImplicitGemmVariant& variant);
/// The share of that rate a tile reaches on a full multiprocessor, and when its block is alone there.
double rate_when_full(const ImplicitGemmVariant& variant);
double rate_when_alone(const ImplicitGemmVariant& variant);

/// Writing the parts of a split sum and adding them.
double cycles_of_parts(const Conv2dProblem& problem, int parts, int multiprocessors);

/// A rectangle of pixels as the tile of some convolutions of one shape, and the work of one image with it:
/// steps of K over all tiles and convolutions, tiles.
struct TileRectangle {
  int h = 1, w = 1;
  double steps = 0, tiles = 0;
};
/// The one with the least work among those of at most the variant's pixels.
TileRectangle best_rectangle(std::span<const Conv2dProblem> problems, GemmMath math,
                             const ImplicitGemmVariant& variant);

/// Writing so many pixels of a tile.
double cycles_of_copies(DType dtype, const ImplicitGemmVariant& variant, double pixels);

}  // namespace atrous::cuda
