// SPDX-License-Identifier: Apache-2.0
#include "graph/memory_planner.h"

#include <algorithm>
#include <numeric>

namespace atrous {

MemoryPlan plan_memory(std::span<const Lifetime> blocks, std::size_t alignment) {
  auto aligned = [&](std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; };
  std::vector<std::size_t> by_size(blocks.size());
  std::iota(by_size.begin(), by_size.end(), std::size_t{0});
  std::stable_sort(by_size.begin(), by_size.end(),
                   [&](std::size_t a, std::size_t b) { return blocks[a].bytes > blocks[b].bytes; });

  MemoryPlan plan{std::vector<std::size_t>(blocks.size(), 0), 0};
  std::vector<std::size_t> placed;  // in the order of their offsets
  for (std::size_t block : by_size) {
    const std::size_t bytes = aligned(blocks[block].bytes);
    if (bytes == 0) continue;
    std::size_t offset = 0;
    for (std::size_t other : placed) {
      if (blocks[other].last < blocks[block].first || blocks[block].last < blocks[other].first) continue;
      if (plan.offsets[other] >= offset + bytes) break;
      offset = std::max(offset, plan.offsets[other] + aligned(blocks[other].bytes));
    }
    plan.offsets[block] = offset;
    plan.arena_bytes = std::max(plan.arena_bytes, offset + bytes);
    auto before = [&](std::size_t a, std::size_t b) { return plan.offsets[a] < plan.offsets[b]; };
    placed.insert(std::upper_bound(placed.begin(), placed.end(), block, before), block);
  }
  return plan;
}

}  // namespace atrous
