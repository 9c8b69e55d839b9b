// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "backend/cpu/activate.h"

namespace atrous {

/// a / b, rounded up.
constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Rows by columns of a GemmTile, which its accumulators in registers decide: 14 by 32 with AVX-512, 6 by 16
/// with AVX2.
struct GemmTileSize {
  static constexpr std::int64_t kMostRows = 14, kMostColumns = 32;
  std::int64_t rows = 0, columns = 0;

  /// Panels that many output channels take, the last one filled up.
  std::int64_t panels(std::int64_t channels) const { return ceil_div(channels, columns); }
};

/// Of this processor; without columns where it has no AVX2.
GemmTileSize gemm_tile_size();

/// One tile of a matrix product, pixels by output channels, all in registers:
///   C += A B, where A is [rows][k] with a pitch and B is packed as [k][columns].
struct GemmTile {
  const float* a = nullptr;
  std::int64_t a_pitch = 0, k = 0;
  const float* b = nullptr;
  float* c = nullptr;
  std::int64_t c_pitch = 0;
  /// Not null: C starts as these values in every row instead of what it holds ...
  const float* bias = nullptr;
  /// ... plus these rows, where there are any.
  const float* residual = nullptr;
  std::int64_t residual_pitch = 0;
  Clamp clamp;  ///< of C at the end
};

/// Asks for share `part` of `parts` of these values to be in the second-level cache.
inline void prefetch_share(const float* values, std::int64_t count, std::int64_t part, std::int64_t parts) {
  constexpr std::int64_t kLine = 16;
  for (std::int64_t i = count * part / parts; i < count * (part + 1) / parts; i += kLine)
    __builtin_prefetch(values + i, 0, 2);
}

/// Reads and writes rows of gemm_tile_size(), whole ones. For processors that have such a size.
void multiply_tile(const GemmTile& tile);

}  // namespace atrous
