// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "backend/cuda/runtime.h"

#ifdef ATROUS_EMULATE
#include "support/emulation/order.h"
#endif

namespace atrous::cuda {

/// Skips, saying why, where no device works.
class DeviceTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    if (device_count(&why) == 0) GTEST_SKIP() << "no CUDA device: " << why;
  }
};

/// Calls `test` in each order of fibers that the execution layer should try; on a real device once.
template <typename Test>
void in_every_order(Test&& test) {
#ifdef ATROUS_EMULATE
  for (emulation::Order order : emulation::test_orders()) {
    SCOPED_TRACE("order " + to_string(order));
    emulation::ScopedOrder scope(order);
    test();
  }
#else
  test();
#endif
}

}  // namespace atrous::cuda
