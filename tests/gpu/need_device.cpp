// SPDX-License-Identifier: Apache-2.0
// Skips all tests of the program, saying why, where no CUDA device works.
#include <gtest/gtest.h>

#include "backend/cuda/runtime.h"

namespace atrous::test {
namespace {

class NeedDevice : public testing::Environment {
  void SetUp() override {
    std::string why;
    if (cuda::device_count(&why) == 0) GTEST_SKIP() << "no CUDA device: " << why;
  }
};

[[maybe_unused]] const testing::Environment* const kNeedDevice =
    testing::AddGlobalTestEnvironment(new NeedDevice);  // NOLINT: gtest owns it

}  // namespace
}  // namespace atrous::test
