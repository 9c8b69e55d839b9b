// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "backend/cpu/activate.h"

namespace atrous {

/// A 3x3 convolution g of a tile d of inputs, with fewer products than 9 for each of its m x m outputs y
/// (Winograd's minimal filtering; Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", eq.
/// 8):
///   y = A^T [ (G g G^T) . (B^T d B) ] A
/// F(m x m, 3x3), m 3 or 4, takes m + 2 products along each axis. The points of interpolation are +-p, +-q,
/// infinity and, for m = 4, 0; p and q are of like size (5/8 and 3/2, or 1/2 and 5/4) and exact in binary: in
/// single precision the error is about that of summing the products directly, a fifth of that with the usual
/// points 0, +-1, +-2.
/// Where a whole map of m = 2 or 3 pixels is one tile, so that padding surrounds it, m + 1 products do. For
/// m = 2, y0 = g1 (d0 + d1) + (g2 - g1) d1 and y1 = g1 (d0 + d1) + (g0 - g1) d0; for m = 3, the trilinear
/// form of g_i d_j z_k over (2 - i) + j + (2 - k) = 3, whose coefficient of z_k is y_k, is the polarisation
/// of
///   v1^3 + 6 v0 v1 v2 = 1/6 [(v0 + 3/2 v1 + v2)^3 + (-v0 + 3/2 v1 - v2)^3]
///                     - 1/2 [(v0 + 1/2 v1 - v2)^3 + (-v0 + 1/2 v1 + v2)^3].
struct Winograd {
  int outputs;         ///< m
  bool whole = false;  ///< one tile is a whole map of up to m by m pixels

  constexpr bool operator==(const Winograd&) const = default;

  static constexpr int kKernel = 3, kMostProducts = 36, kMostPixels = 16;
  int inputs() const { return whole ? outputs : outputs + kKernel - 1; }
  int axis_products() const { return whole ? outputs + 1 : inputs(); }
  int products() const { return axis_products() * axis_products(); }  ///< of no two forms alike
  int pixels() const { return outputs * outputs; }
  /// Whether a tile of which only the first row, or the first column, is there needs only the products of one
  /// row, or column: the others are 0 or go to pixels that are not there.
  bool spares_singles() const { return whole && outputs == 2; }
};

/// G g G^T of the 3x3 weights of `channels` (a multiple of 8) outputs, weight i of each at weights + i *
/// channels: product i goes to to + i * plane.
void winograd_weight(Winograd winograd, const float* weights, std::int64_t channels, float* to,
                     std::int64_t plane);

/// B^T d B of a tile, `channels` (a multiple of 16) at a time: product i goes to to + i * plane, from its
/// inputs() x inputs() pixels, row by row, each `channels` values.
void winograd_input(Winograd winograd, const float* const* pixels, std::int64_t channels, float* to,
                    std::int64_t plane);

/// A^T m A of a tile, product i of m at from + i * plane, plus bias and residual, clamped, into its pixels,
/// row by row; those that are nullptr are not wanted. `residual`: of the wanted pixels; nullptr where there
/// is none.
void winograd_output(Winograd winograd, const float* from, std::int64_t plane, std::int64_t channels,
                     const float* bias, const float* const* residual, const Clamp& clamp,
                     float* const* pixels);

}  // namespace atrous
