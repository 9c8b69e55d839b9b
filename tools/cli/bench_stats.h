// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace atrous::cli {

/// How long to measure: `iterations` runs where that is above 0, else as many as fit into `seconds` (at least
/// three); before them two runs that do not count.
struct BenchLength {
  int iterations = 0;
  double seconds = 3;
};

/// Milliseconds of repeated runs.
struct Latency {
  double p50 = 0, p90 = 0, p99 = 0, mean = 0, min = 0, max = 0;
  std::size_t runs = 0;
};

/// Times `run`; `set_up` goes before each run and is not timed.
Latency measure(const BenchLength& length, const std::function<void()>& set_up,
                const std::function<void()>& run);

/// The nearest-rank percentiles and the rest, of at least one sample.
Latency summarise(std::vector<double> milliseconds);

std::string to_text(const Latency& latency);
nlohmann::ordered_json to_json(const Latency& latency);

/// GFLOP/s of independent fused multiply-adds on registers by `threads` threads at once, the best of several
/// short runs: what the machine's arithmetic gives now, with no memory in the way.
double measure_peak_gflops(int threads);

/// The most memory this process has had, in bytes.
double peak_memory_bytes();

}  // namespace atrous::cli
