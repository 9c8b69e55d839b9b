// SPDX-License-Identifier: Apache-2.0
#include "peak.h"

#include <algorithm>
#include <array>
#include <vector>

#include "core/parallel.h"
#include "core/stopwatch.h"

namespace atrous::cli {
namespace {

/// Independent chains of multiply-adds that live in registers.
ATROUS_VECTORISE float spin(int rounds) {
  std::array<float, 192> lanes{};
  for (int r = 0; r < rounds; ++r)
    for (float& lane : lanes) lane = lane * 0.999F + 1.001F;
  float sum = 0;
  for (float lane : lanes) sum += lane;
  return sum;
}

}  // namespace

double measure_peak_gflops(int threads) {
  constexpr int kRounds = 400'000;
  std::vector<float> sink(static_cast<std::size_t>(threads));
  double best = 0;
  for (int attempt = 0; attempt < 5; ++attempt) {
    Stopwatch watch;
    parallel_for(threads, [&](std::int64_t i) { sink[static_cast<std::size_t>(i)] = spin(kRounds); });
    best = std::max(best, 2.0 * 192 * kRounds * threads / watch.lap() / 1e6);
  }
  return sink[0] > 0 ? best : 0;
}

}  // namespace atrous::cli
