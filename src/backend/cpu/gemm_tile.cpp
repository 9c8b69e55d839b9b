// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/gemm_tile.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "core/error.h"

namespace atrous {

#if defined(__x86_64__)

bool gemm_tile_fits_processor() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         !__builtin_cpu_supports("avx512f");
}

/// Twelve accumulators of eight floats, two vectors of B and one broadcast value of A: fifteen of AVX2's
/// sixteen registers, and twelve independent multiply-adds for two units with a latency of four or five
/// cycles.
__attribute__((target("avx2,fma"))) void multiply_tile(const GemmTile& tile) {
  constexpr int kRows = GemmTile::kRows;
  __m256 left[kRows], right[kRows];
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
    const float* from = tile.bias != nullptr ? tile.bias : tile.c + r * tile.c_pitch;
    left[r] = _mm256_loadu_ps(from);
    right[r] = _mm256_loadu_ps(from + 8);
  }
  if (tile.bias != nullptr && tile.residual != nullptr) {
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
      const float* from = tile.residual + r * tile.residual_pitch;
      left[r] = _mm256_add_ps(left[r], _mm256_loadu_ps(from));
      right[r] = _mm256_add_ps(right[r], _mm256_loadu_ps(from + 8));
    }
  }
  const float *a = tile.a, *b = tile.b;
  const std::int64_t pitch = tile.a_pitch;
  for (std::int64_t k = 0; k < tile.k; ++k, ++a, b += GemmTile::kColumns) {
    const __m256 b_left = _mm256_loadu_ps(b), b_right = _mm256_loadu_ps(b + 8);
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
      const __m256 value = _mm256_broadcast_ss(a + r * pitch);
      left[r] = _mm256_fmadd_ps(value, b_left, left[r]);
      right[r] = _mm256_fmadd_ps(value, b_right, right[r]);
    }
  }
  const __m256 low = _mm256_set1_ps(tile.low), high = _mm256_set1_ps(tile.high);
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
    float* to = tile.c + r * tile.c_pitch;
    _mm256_storeu_ps(to, _mm256_min_ps(high, _mm256_max_ps(low, left[r])));
    _mm256_storeu_ps(to + 8, _mm256_min_ps(high, _mm256_max_ps(low, right[r])));
  }
}

#else

bool gemm_tile_fits_processor() { return false; }
void multiply_tile(const GemmTile&) { fail(ErrorCode::internal, "multiply_tile needs AVX2"); }

#endif

}  // namespace atrous
