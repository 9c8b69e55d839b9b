// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/gemm_tile.h"

#include "core/error.h"

namespace atrous {

#if defined(__x86_64__)

namespace {

/// The accumulators, two vectors of B and one value of A in all lanes fill the registers of an instruction
/// set, and give its two units, with a latency of four or five cycles, enough independent multiply-adds.
/// Inlined into a function for that instruction set.
template <int lanes, int rows>
[[gnu::always_inline]] inline void multiply(const GemmTile& tile) {
  typedef float Vector __attribute__((vector_size(lanes * sizeof(float)), aligned(sizeof(float))));
  Vector left[rows], right[rows];
#pragma GCC unroll 14
  for (int r = 0; r < rows; ++r) {
    const float* from = tile.bias != nullptr ? tile.bias : tile.c + r * tile.c_pitch;
    left[r] = *reinterpret_cast<const Vector*>(from);
    right[r] = *reinterpret_cast<const Vector*>(from + lanes);
  }
  if (tile.bias != nullptr && tile.residual != nullptr) {
#pragma GCC unroll 14
    for (int r = 0; r < rows; ++r) {
      const float* from = tile.residual + r * tile.residual_pitch;
      left[r] += *reinterpret_cast<const Vector*>(from);
      right[r] += *reinterpret_cast<const Vector*>(from + lanes);
    }
  }
  const float *a = tile.a, *b = tile.b;
  const std::int64_t pitch = tile.a_pitch;
  for (std::int64_t k = 0; k < tile.k; ++k, ++a, b += 2 * lanes) {
    const Vector b_left = *reinterpret_cast<const Vector*>(b),
                 b_right = *reinterpret_cast<const Vector*>(b + lanes);
#pragma GCC unroll 14
    for (int r = 0; r < rows; ++r) {
      const float value = a[r * pitch];
      left[r] += value * b_left;
      right[r] += value * b_right;
    }
  }
  const Vector low = Vector{} + tile.clamp.low, high = Vector{} + tile.clamp.high;
#pragma GCC unroll 14
  for (int r = 0; r < rows; ++r) {  // what is not a number stays so
    left[r] = left[r] < low ? low : left[r] > high ? high : left[r];
    right[r] = right[r] < low ? low : right[r] > high ? high : right[r];
    *reinterpret_cast<Vector*>(tile.c + r * tile.c_pitch) = left[r];
    *reinterpret_cast<Vector*>(tile.c + r * tile.c_pitch + lanes) = right[r];
  }
}

__attribute__((target("avx512f"))) void multiply_avx512(const GemmTile& tile) { multiply<16, 14>(tile); }
__attribute__((target("avx2,fma"))) void multiply_avx2(const GemmTile& tile) { multiply<8, 6>(tile); }

bool has_avx512() { return __builtin_cpu_supports("avx512f"); }

}  // namespace

GemmTileSize gemm_tile_size() {
  if (has_avx512()) return {14, 32};
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? GemmTileSize{6, 16}
                                                                         : GemmTileSize{};
}

void multiply_tile(const GemmTile& tile) {
  static const auto kMultiply = has_avx512() ? multiply_avx512 : multiply_avx2;
  kMultiply(tile);
}

#else

GemmTileSize gemm_tile_size() { return {}; }
void multiply_tile(const GemmTile&) { fail(ErrorCode::internal, "multiply_tile needs AVX2"); }

#endif

}  // namespace atrous
