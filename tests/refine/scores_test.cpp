// SPDX-License-Identifier: Apache-2.0
#include "refine/scores.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace atrous {
namespace {

/// More values than a thread's share, of all sizes, and a rest that fills no vector.
TEST(Scores, EnergiesAreNegativeLogarithms) {
  const int width = 71, height = 67, classes = 3;
  ScoreMap p{width, height, classes, {}};
  for (int i = 0; i < width * height * classes; ++i)
    p.values.push_back(static_cast<float>(std::pow(10.0, -12.0 * i / (width * height * classes))));
  const ScoreMap u = unary_from_probabilities(p);
  for (std::size_t i = 0; i < p.values.size(); ++i) {
    const double expected = -std::log(std::max<double>(p.values[i], 1e-5F));
    ASSERT_NEAR(u.values[i], expected, 1e-6 + 1e-6 * expected) << p.values[i];
  }
}

TEST(Scores, EnergiesOfTheExtremes) {
  const float infinity = std::numeric_limits<float>::infinity();
  const ScoreMap u = unary_from_probabilities(
      {6, 1, 1, {0, -1, 1, 3e38F, infinity, std::numeric_limits<float>::quiet_NaN()}});
  EXPECT_NEAR(u.values[0], 11.512925, 1e-5);
  EXPECT_EQ(u.values[1], u.values[0]);
  EXPECT_NEAR(u.values[2], 0, 1e-7);
  EXPECT_NEAR(u.values[3], -std::log(3e38), 1e-4);
  EXPECT_FALSE(std::isfinite(u.values[4]));
  EXPECT_TRUE(std::isnan(u.values[5]));
}

TEST(Scores, EnergiesOfLogitsAreThoseOfTheirSoftmax) {
  const ScoreMap u = unary_from_logits({1, 1, 3, {1, 2, 30}});
  EXPECT_NEAR(u.values[0], 11.512925, 1e-5);
  EXPECT_NEAR(u.values[2], 0, 1e-6);
}

TEST(Scores, TheLowestClassWinsATie) {
  EXPECT_EQ(argmax({2, 1, 3, {0, 1, 1, 5, 5, 4}}).ids, (std::vector<std::uint8_t>{1, 0}));
}

}  // namespace
}  // namespace atrous
