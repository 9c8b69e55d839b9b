// SPDX-License-Identifier: Apache-2.0
#include "pipeline/bounded_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace atrous {
namespace {

TEST(BoundedQueue, GivesEveryItemOnceInGroupsOfNeighbours) {
  BoundedQueue<int> queue(5);
  std::mutex mutex;
  std::vector<int> taken;
  std::vector<std::size_t> sizes;
  {
    std::vector<std::jthread> takers;
    for (int i = 0; i < 3; ++i)
      takers.emplace_back([&] {
        for (std::vector<int> group = queue.pop(4); !group.empty(); group = queue.pop(4)) {
          std::lock_guard lock(mutex);
          for (std::size_t k = 1; k < group.size(); ++k) EXPECT_EQ(group[k], group[0] + static_cast<int>(k));
          taken.insert(taken.end(), group.begin(), group.end());
          sizes.push_back(group.size());
        }
      });
    for (int i = 0; i < 201; ++i) queue.push(i);
    queue.close();
  }
  std::sort(taken.begin(), taken.end());
  ASSERT_EQ(taken.size(), 201U);
  for (int i = 0; i < 201; ++i) EXPECT_EQ(taken[static_cast<std::size_t>(i)], i);
  EXPECT_EQ(std::count(sizes.begin(), sizes.end(), 4U), 50);
}

TEST(BoundedQueue, HoldsNoMoreThanItsCapacity) {
  BoundedQueue<int> queue(2);
  std::atomic<int> pushed = 0;
  std::jthread producer([&] {
    for (int i = 0; i < 10; ++i) queue.push(i), ++pushed;
    queue.close();
  });
  for (int taken = 0; taken < 10; ++taken) {
    EXPECT_LE(pushed, taken + 2);
    EXPECT_EQ(queue.pop(1), std::vector<int>{taken});
  }
  EXPECT_TRUE(queue.pop(1).empty());
}

}  // namespace
}  // namespace atrous
