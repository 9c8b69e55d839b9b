// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "graph/executor.h"

namespace atrous::test {

/// Values in [-1, 1) for a network's input, the same for the same seed.
inline std::vector<float> noise(const Shape& shape, unsigned seed = 1) {
  std::mt19937 generator(seed);
  std::vector<float> values;
  for (std::int64_t i = 0; i < shape.elements(); ++i)
    values.push_back(static_cast<float>(generator() % 2000U) / 1000.0F - 1);
  return values;
}

/// The first output, NHWC, for this input on the host.
inline std::vector<float> run(Executor& executor, const Shape& shape, const std::vector<float>& input) {
  executor.prepare(shape);
  executor.write_input(input);
  executor.run();
  return executor.read_output();
}

/// Elements differ by at most `tolerance` times the largest one wanted, which is not zero.
inline void expect_near(const std::vector<float>& got, const std::vector<float>& wanted, double tolerance) {
  ASSERT_EQ(got.size(), wanted.size());
  float largest = 0;
  for (float v : wanted) largest = std::max(largest, std::abs(v));
  ASSERT_GT(largest, 0);
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_FALSE(std::isnan(got[i])) << "element " << i;
    ASSERT_NEAR(got[i], wanted[i], tolerance * largest) << "element " << i;
  }
}

/// Image `index` of a batch of values.
inline std::vector<float> image_of(const std::vector<float>& batch, std::int64_t images, std::int64_t index) {
  const auto size = static_cast<std::ptrdiff_t>(batch.size()) / images;
  return {batch.begin() + index * size, batch.begin() + (index + 1) * size};
}

}  // namespace atrous::test
