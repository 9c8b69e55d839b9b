// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace atrous {

/// A block of memory that is needed from step `first` to step `last`, both included.
struct Lifetime {
  std::size_t bytes = 0;
  int first = 0, last = 0;
};

struct MemoryPlan {
  std::vector<std::size_t> offsets;  ///< of each block in the arena, multiples of the alignment
  std::size_t arena_bytes = 0;
};

/// Places blocks so that two that are alive at the same step never overlap. Greedy by size: the largest
/// first, each at the lowest gap where it fits. A pure function of its arguments.
MemoryPlan plan_memory(std::span<const Lifetime> blocks, std::size_t alignment = 64);

}  // namespace atrous
