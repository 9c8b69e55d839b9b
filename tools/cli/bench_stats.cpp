// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_stats.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

namespace atrous::cli {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kWarmUps = 2;
constexpr std::size_t kLeastRuns = 3, kMostRuns = 1'000'000;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

}  // namespace

Latency measure(const BenchLength& length, const std::function<void()>& set_up,
                const std::function<void()>& run) {
  for (int i = 0; i < kWarmUps; ++i) {
    set_up();
    run();
  }
  std::vector<double> samples;
  const auto wanted = static_cast<std::size_t>(std::max(length.iterations, 0));
  const Clock::time_point begin = Clock::now();
  auto more = [&] {
    if (wanted > 0) return samples.size() < wanted;
    return samples.size() < kLeastRuns ||
           (milliseconds_since(begin) < length.seconds * 1e3 && samples.size() < kMostRuns);
  };
  while (more()) {
    set_up();
    const Clock::time_point start = Clock::now();
    run();
    samples.push_back(milliseconds_since(start));
  }
  return summarise(std::move(samples));
}

Latency summarise(std::vector<double> milliseconds) {
  std::sort(milliseconds.begin(), milliseconds.end());
  const std::size_t count = milliseconds.size();
  auto percentile = [&](double p) {
    const auto rank = static_cast<std::size_t>(std::ceil(p * static_cast<double>(count)));
    return milliseconds[std::max<std::size_t>(rank, 1) - 1];
  };
  const double sum = std::accumulate(milliseconds.begin(), milliseconds.end(), 0.0);
  return {percentile(0.5),
          percentile(0.9),
          percentile(0.99),
          sum / static_cast<double>(count),
          milliseconds.front(),
          milliseconds.back(),
          count};
}

std::string to_text(const Latency& latency) {
  return fmt::format("p50 {:.3f} ms, p90 {:.3f}, p99 {:.3f}, mean {:.3f}, min {:.3f}, max {:.3f} ({} runs)",
                     latency.p50, latency.p90, latency.p99, latency.mean, latency.min, latency.max,
                     latency.runs);
}

nlohmann::ordered_json to_json(const Latency& latency) {
  return {{"p50", latency.p50}, {"p90", latency.p90}, {"p99", latency.p99},  {"mean", latency.mean},
          {"min", latency.min}, {"max", latency.max}, {"runs", latency.runs}};
}

double peak_memory_bytes() {
  rusage usage{};
  return ::getrusage(RUSAGE_SELF, &usage) == 0 ? static_cast<double>(usage.ru_maxrss) * 1024 : 0;
}

}  // namespace atrous::cli
