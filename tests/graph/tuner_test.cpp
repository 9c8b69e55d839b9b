// SPDX-License-Identifier: Apache-2.0
// What tuners remember when several write the same file.
#include "graph/tuner.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "backend/function_kernel.h"
#include "support/temp_folder.h"

namespace atrous {
namespace {

std::atomic<int> prepared{0};

std::unique_ptr<Kernel> prepare(const NodeDesc&, PrepareContext&) {
  ++prepared;
  return kernel_of([](const KernelArgs&) {});
}

constexpr Implementation kFirst{"first", accept_all, prepare}, kSecond{"second", accept_all, prepare};

/// Has a tuner with the file in `folder` choose for a ReLU of so many channels.
void tune(Tuner& tuner, int channels) {
  const OpParams relu = ActivationParams{ActivationKind::relu};
  const TensorDesc map = TensorDesc::dense({1, 1, 1, channels});
  EXPECT_EQ(tuner.measure({"relu", relu, {&map, 1}, map, {}}, {&kFirst, &kSecond}).size(), 2U);
}

class TunerFile : public testing::Test {
 protected:
  /// Whether a new tuner knows the times of problems 1 to `count`.
  bool has_all(int count) const {
    prepared = 0;
    Tuner tuner(*backend_, folder_.path());
    for (int channels = 1; channels <= count; ++channels) tune(tuner, channels);
    return prepared == 0;
  }
  const test::TempFolder folder_;
  const std::shared_ptr<const Backend> backend_ = make_backend({});
};

TEST_F(TunerFile, KeepsWhatAnotherWroteSinceItWasRead) {
  Tuner one(*backend_, folder_.path()), other(*backend_, folder_.path());
  tune(one, 1);
  tune(other, 2);
  EXPECT_TRUE(has_all(2));
  EXPECT_FALSE(has_all(3));
}

TEST_F(TunerFile, KeepsTimesWithAndWithoutTf32) {
  const OpParams relu = ActivationParams{ActivationKind::relu};
  const TensorDesc map = TensorDesc::dense({1, 1, 1, 1});
  const NodeDesc exact{"relu", relu, {&map, 1}, map, {}}, rounded{"relu", relu, {&map, 1}, map, {}, true};
  Tuner tuner(*backend_, folder_.path());
  tuner.measure(exact, {&kFirst});
  tuner.measure(rounded, {&kFirst, &kSecond});
  prepared = 0;
  tuner.measure(exact, {&kFirst});
  tuner.measure(rounded, {&kFirst, &kSecond});
  EXPECT_EQ(prepared, 0);
}

TEST_F(TunerFile, KeepsWhatManyWriteAtOnce) {
  constexpr int kWriters = 8, kEach = 5;
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer)
    writers.emplace_back([&, writer] {
      Tuner tuner(*backend_, folder_.path());
      for (int i = 1; i <= kEach; ++i) tune(tuner, writer * kEach + i);
    });
  for (std::thread& writer : writers) writer.join();
  EXPECT_TRUE(has_all(kWriters * kEach));
}

}  // namespace
}  // namespace atrous
