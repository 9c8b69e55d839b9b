// SPDX-License-Identifier: Apache-2.0
// Compiled into each test program that links the emulation: names the order of fibers next to every failure.
#include <gtest/gtest.h>

#include <cstdio>

#include "support/emulation/order.h"

namespace {

class OrderListener : public testing::EmptyTestEventListener {
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (result.failed())
      std::printf("emulation order: ATROUS_EMULATION_ORDER=%s\n",
                  atrous::cuda::emulation::to_string(atrous::cuda::emulation::current_order()).c_str());
  }
};

[[maybe_unused]] const bool registered = [] {
  testing::UnitTest::GetInstance()->listeners().Append(new OrderListener);
  return true;
}();

}  // namespace
