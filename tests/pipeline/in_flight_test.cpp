// SPDX-License-Identifier: Apache-2.0
#include "pipeline/in_flight.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

namespace atrous {
namespace {

constexpr std::size_t kImage = 100;

/// The most images that were in at the same time, out of fifty of kImage bytes each.
std::size_t most_at_once(std::size_t needed, std::size_t most, std::size_t bytes) {
  InFlight in_flight(needed, most, bytes);
  std::atomic<std::size_t> entered{0}, left{0};
  std::size_t found = 0;
  std::jthread decoder([&] {
    for (int i = 0; i < 50; ++i) {
      in_flight.enter(kImage);
      ++entered;
    }
  });
  while (left < 50) {
    // one leaves only when no other gets in: what is needed always does
    const std::size_t inside = entered - left;
    if (inside < std::min<std::size_t>(needed, 50 - left)) {
      std::this_thread::yield();
      continue;
    }
    found = std::max(found, inside);
    ++left;
    in_flight.leave(kImage);
  }
  return found;
}

TEST(InFlight, ImagesAndBytesAreBounded) {
  EXPECT_LE(most_at_once(1, 5, 1000 * kImage), 5U);
  EXPECT_LE(most_at_once(1, 5, 2 * kImage), 2U);
  EXPECT_EQ(most_at_once(1, 5, 1), 1U);
  EXPECT_EQ(most_at_once(4, 9, 1), 4U) << "what the workers need is let in";
}

}  // namespace
}  // namespace atrous
