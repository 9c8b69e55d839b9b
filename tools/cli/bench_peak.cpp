// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "cli/bench_stats.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace atrous::cli {
namespace {

constexpr int kChains = 12;          // enough independent chains to hide the latency of an FMA
constexpr long kRounds = 2'000'000;  // some 10 ms a run
constexpr int kRuns = 5;

/// Each does kRounds * kChains multiply-adds on vectors; the result keeps them from being optimised away.
float portable_loop(float scale) {
  float chains[kChains][4] = {};
  for (long round = 0; round < kRounds; ++round)
    for (auto& chain : chains)
      for (float& value : chain) value = value * scale + 0.5F;
  float sum = 0;
  for (const auto& chain : chains)
    for (float value : chain) sum += value;
  return sum;
}

#if defined(__x86_64__)
__attribute__((target("avx512f"))) float avx512_loop(float scale) {
  __m512 chains[kChains];
  for (__m512& chain : chains) chain = _mm512_setzero_ps();
  const __m512 factor = _mm512_set1_ps(scale), term = _mm512_set1_ps(0.5F);
  for (long round = 0; round < kRounds; ++round)
    for (__m512& chain : chains) chain = _mm512_fmadd_ps(chain, factor, term);
  __m512 sum = chains[0];
  for (const __m512& chain : chains) sum = _mm512_add_ps(sum, chain);
  return _mm512_cvtss_f32(sum);
}

__attribute__((target("avx2,fma"))) float avx2_loop(float scale) {
  __m256 chains[kChains];
  for (__m256& chain : chains) chain = _mm256_setzero_ps();
  const __m256 factor = _mm256_set1_ps(scale), term = _mm256_set1_ps(0.5F);
  for (long round = 0; round < kRounds; ++round)
    for (__m256& chain : chains) chain = _mm256_fmadd_ps(chain, factor, term);
  __m256 sum = chains[0];
  for (const __m256& chain : chains) sum = _mm256_add_ps(sum, chain);
  return _mm256_cvtss_f32(sum);
}
#endif

struct Loop {
  float (*run)(float);
  int lanes;
};

Loop choose_loop() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return {avx512_loop, 16};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {avx2_loop, 8};
#endif
  return {portable_loop, 4};
}

}  // namespace

double measure_peak_gflops(int threads) {
  const Loop loop = choose_loop();
  std::atomic<float> sink{0};
  double best = 0;
  for (int run = 0; run < kRuns; ++run) {
    const auto start = std::chrono::steady_clock::now();
    {
      std::vector<std::jthread> team;
      for (int t = 0; t < threads; ++t) team.emplace_back([&] { sink = loop.run(0.9F); });
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::max(best, 2.0 * kChains * kRounds * loop.lanes * threads / seconds * 1e-9);
  }
  return best;
}

}  // namespace atrous::cli
