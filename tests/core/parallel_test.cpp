// SPDX-License-Identifier: Apache-2.0
#include "core/parallel.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <stdexcept>
#include <vector>

namespace atrous {
namespace {

TEST(Parallel, OneOfTheExceptionsIsThrownWhenAllIsDone) {
  for (const int threads : {1, 3}) {
    set_team_size(threads);
    std::vector<int> done(100);
    try {
      parallel_for(100, [&](std::int64_t i) {
        done[static_cast<std::size_t>(i)] = 1;
        if (i % 10 == 7) throw std::runtime_error("thrown");
      });
      ADD_FAILURE() << "nothing was thrown";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "thrown");
    }
    EXPECT_EQ(done, std::vector<int>(100, 1));
    EXPECT_THROW(parallel_blocks(5000, [](std::int64_t, std::int64_t) { throw 1; }), int);
  }
}

int team_size() {
  int size = 0;
#pragma omp parallel
#pragma omp single
  size = omp_get_num_threads();
  return size;
}

TEST(Parallel, AloneIsForAWhile) {
  set_team_size(3);
  {
    const Alone alone;
    EXPECT_EQ(team_size(), 1);
  }
  EXPECT_EQ(team_size(), 3);
}

}  // namespace
}  // namespace atrous
