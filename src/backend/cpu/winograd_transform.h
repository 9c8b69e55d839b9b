// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "backend/cpu/activate.h"

namespace atrous {

/// Winograd's minimal filtering F(4x4, 3x3): a tile of 4x4 outputs y of a 3x3 convolution g of 6x6 inputs d
/// takes 36 products instead of 144 (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", eq.
/// 8):
///   y = A^T [ (G g G^T) . (B^T d B) ] A
/// The interpolation points are 0, +-5/8, +-3/2 and infinity, whose squares are of like size and which
/// are exact in binary: in single precision the error is about that of summing the products directly, a fifth
/// of that with the usual points 0, +-1, +-2.
struct Winograd {
  static constexpr int kKernel = 3, kOutputs = 4, kInputs = 6, kProducts = kInputs * kInputs,
                       kPixels = kOutputs * kOutputs;
};

/// G g G^T of 3x3 weights, row by row.
std::array<double, Winograd::kProducts> winograd_weight(const float* g);

/// B^T d B of a tile, `channels` (a multiple of 16) at a time: product i goes to to + i * plane, from 6x6
/// pixels, row by row, each `channels` values.
void winograd_input(const float* const* pixels, std::int64_t channels, float* to, std::int64_t plane);

/// A^T m A of a tile, product i of m at from + i * plane, plus bias and residual, clamped, into 4x4 pixels,
/// row by row; those that are nullptr are not wanted. `residual`: of the wanted pixels; nullptr where there
/// is none.
void winograd_output(const float* from, std::int64_t plane, std::int64_t channels, const float* bias,
                     const float* const* residual, const Clamp& clamp, float* const* pixels);

}  // namespace atrous
