// SPDX-License-Identifier: Apache-2.0
#include "gpu_measure.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include "core/convert.h"
#include "core/error.h"
#include "core/stopwatch.h"

namespace atrous::bench {
namespace {

constexpr int kFewestRounds = 3, kMostRounds = 21, kMostRuns = 400;
constexpr double kRecordingMs = 4;                         ///< long against a launch and a wait
constexpr std::size_t kRotated = std::size_t{200} << 20U;  ///< bytes; larger than any device's L2
constexpr std::size_t kPatternBytes = std::size_t{8} << 20U;

struct Prepared {
  std::unique_ptr<Recording> recording;
  int runs = 1;
  std::vector<double> microseconds;
  double spent_ms = 0;
};

/// The same numbers for every buffer of a type; made once, since making them takes longer than a measurement.
const std::vector<std::byte>& random_pattern(DType dtype) {
  static std::map<DType, std::vector<std::byte>> made;
  std::vector<std::byte>& pattern = made[dtype];
  if (!pattern.empty()) return pattern;
  std::mt19937 generator(1);
  std::vector<float> values(kPatternBytes / size_of(dtype));
  for (float& value : values) value = static_cast<float>(generator() >> 8U) / (1 << 23) - 1;
  pattern.resize(kPatternBytes);
  from_f32(values.data(), static_cast<std::int64_t>(values.size()), dtype, pattern.data());
  return pattern;
}

Prepared prepare(Stream& stream, const Variant& variant, int sets) {
  Prepared result;
  variant.enqueue(0);
  stream.synchronise();
  Stopwatch watch;
  for (int set = 0; set < sets; ++set) variant.enqueue(set);
  stream.synchronise();
  const double once = watch.lap() / sets;
  result.runs = std::clamp(static_cast<int>(std::ceil(kRecordingMs / once)), 1, kMostRuns);
  if (result.runs > sets) result.runs = result.runs / sets * sets;
  result.recording = stream.record([&] {
    for (int run = 0; run < result.runs; ++run) variant.enqueue(run % sets);
  });
  result.recording->replay();
  stream.synchronise();
  return result;
}

}  // namespace

Timing summarise(std::vector<double> values) {
  if (values.empty()) fail(ErrorCode::internal, "no measurements to summarise");
  std::sort(values.begin(), values.end());
  return {values[values.size() / 2], values.front(), values.back(), static_cast<int>(values.size())};
}

std::vector<Timing> measure(Stream& stream, const std::vector<Variant>& variants, int sets,
                            double budget_ms) {
  std::vector<Prepared> prepared;
  for (const Variant& variant : variants) prepared.push_back(prepare(stream, variant, sets));
  for (int round = 0; round < kMostRounds; ++round)
    for (Prepared& p : prepared) {
      if (round >= kFewestRounds && p.spent_ms > budget_ms) continue;
      Stopwatch watch;
      p.recording->replay();
      stream.synchronise();
      const double ms = watch.lap();
      p.spent_ms += ms;
      p.microseconds.push_back(ms * 1e3 / p.runs);
    }
  std::vector<Timing> timings;
  for (const Prepared& p : prepared) timings.push_back(summarise(p.microseconds));
  return timings;
}

int sets_for(std::size_t bytes) {
  return static_cast<int>(std::clamp<std::size_t>((kRotated + bytes - 1) / bytes, 2, 64));
}

std::unique_ptr<DeviceMemory> random_memory(const Backend& backend, Stream& stream, DType dtype,
                                            std::size_t bytes) {
  const std::vector<std::byte>& pattern = random_pattern(dtype);
  std::unique_ptr<DeviceMemory> memory = backend.allocate(std::max<std::size_t>(bytes, 256));
  for (std::size_t at = 0; at < bytes; at += kPatternBytes)
    stream.upload(memory->data() + at, pattern.data(), std::min(kPatternBytes, bytes - at));
  return memory;
}

}  // namespace atrous::bench
