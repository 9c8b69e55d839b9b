// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace atrous::bench {

/// One way to do a piece of work; `enqueue` puts it on the stream with the tensors of a set.
struct Variant {
  std::string name, detail;
  std::function<void(int set)> enqueue;
};

/// Microseconds a run, over the rounds.
struct Timing {
  double median = 0, low = 0, high = 0;
  int rounds = 0;
};

/// Times each variant: a recording of many runs that take the sets in turn is replayed once a round and
/// waited for, the variants one after the other in every round. `budget_ms` is about what one variant may
/// take; three rounds are always run.
std::vector<Timing> measure(Stream& stream, const std::vector<Variant>& variants, int sets, double budget_ms);

/// How many sets of tensors, of so many bytes each, leave nothing in the device's cache from one use to the
/// next.
int sets_for(std::size_t bytes);

/// For one thread. Device memory of random numbers between -1 and 1 in that type.
std::unique_ptr<DeviceMemory> random_memory(const Backend& backend, Stream& stream, DType dtype,
                                            std::size_t bytes);

Timing summarise(std::vector<double> microseconds);

}  // namespace atrous::bench
