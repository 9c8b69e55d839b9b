// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace atrous {

/// One tile of a matrix product, kRows pixels by kColumns output channels, all in registers:
///   C += A B, where A is [rows][k] with a pitch and B is packed as [k][kColumns].
struct GemmTile {
  static constexpr int kRows = 6, kColumns = 16;

  const float* a = nullptr;
  std::int64_t a_pitch = 0, k = 0;
  const float* b = nullptr;
  float* c = nullptr;
  std::int64_t c_pitch = 0;
  /// Not null: C starts as these kColumns values in every row instead of what it holds ...
  const float* bias = nullptr;
  /// ... plus these rows, where there are any.
  const float* residual = nullptr;
  std::int64_t residual_pitch = 0;
  float low, high;  ///< C is clamped to [low, high] at the end; infinities do nothing
};

/// Whether this processor has AVX2 and no wider registers, which oneDNN's own kernels use better.
bool gemm_tile_fits_processor();
/// Reads kRows rows and writes kRows rows of kColumns values. For processors with AVX2 only.
void multiply_tile(const GemmTile& tile);

}  // namespace atrous
