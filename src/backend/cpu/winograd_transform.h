// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "backend/cpu/activate.h"

namespace atrous {

/// Winograd's minimal filtering F(m x m, 3x3), m 3 or 4: a tile of m x m outputs y of a 3x3 convolution g of
/// inputs d takes (m+2)^2 products instead of 9 m^2 (Lavin and Gray, "Fast Algorithms for Convolutional
/// Neural Networks", eq. 8):
///   y = A^T [ (G g G^T) . (B^T d B) ] A
/// The interpolation points are +-p, +-q, infinity and, for m = 4, 0; p and q are of like size (5/8 and 3/2,
/// or 1/2 and 5/4) and exact in binary: in single precision the error is about that of summing the products
/// directly, a fifth of that with the usual points 0, +-1, +-2.
struct Winograd {
  int outputs;  ///< m

  static constexpr int kKernel = 3, kMostProducts = 36, kMostPixels = 16;
  int inputs() const { return outputs + kKernel - 1; }
  int products() const { return inputs() * inputs(); }
  int pixels() const { return outputs * outputs; }
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
