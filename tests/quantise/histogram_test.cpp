// SPDX-License-Identifier: Apache-2.0
#include "quantise/histogram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace atrous {
namespace {

constexpr CalibrationOptions kAll{Calibration::percentile, 100};
constexpr CalibrationOptions kEntropy{Calibration::entropy};

/// Half of a normal distribution, or all of it.
std::vector<float> normal(int count, bool both_sides) {
  std::mt19937 generator(5);
  std::normal_distribution<float> distribution;
  std::vector<float> values;
  for (int i = 0; i < count; ++i) {
    const float value = distribution(generator);
    values.push_back(both_sides ? value : std::abs(value));
  }
  return values;
}

TEST(Histogram, AllOfIt) {
  MagnitudeHistogram histogram;
  EXPECT_FALSE(histogram.range(kAll));
  EXPECT_TRUE(histogram.add(std::vector{0.0F, 0.0F}));
  EXPECT_FALSE(histogram.range(kAll));
  EXPECT_TRUE(histogram.add(std::vector{0.25F, 3.1F, 0.0F}));
  EXPECT_EQ(histogram.range(kAll)->low, 0);
  EXPECT_EQ(histogram.range(kAll)->high, 3.1F);
  EXPECT_TRUE(histogram.add(std::vector{-7.5F, 900.0F}));
  EXPECT_EQ(histogram.range(kAll)->low, -7.5F);
  EXPECT_EQ(histogram.range(kAll)->high, 900);
}

TEST(Histogram, PercentilesOfWhatIsNotZero) {
  MagnitudeHistogram histogram;
  std::vector<float> values(5000, 0.0F);
  for (int i = 1; i <= 1000; ++i) values.push_back(static_cast<float>(i));
  ASSERT_TRUE(histogram.add(values));
  for (double percentile : {50.0, 90.0, 99.0})
    EXPECT_NEAR(histogram.range({Calibration::percentile, percentile})->high, percentile * 10, 1)
        << percentile;
}

TEST(Histogram, DoesNotDependOnTheOrder) {
  const std::vector<float> small{0.1F, -0.2F, 0.3F}, large{100, 250};
  MagnitudeHistogram up, down;
  ASSERT_TRUE(up.add(small) && up.add(large) && down.add(large) && down.add(small));
  for (const CalibrationOptions& options :
       {kAll, kEntropy, CalibrationOptions{Calibration::percentile, 60}}) {
    EXPECT_EQ(up.range(options)->low, down.range(options)->low);
    EXPECT_EQ(up.range(options)->high, down.range(options)->high);
  }
}

TEST(Histogram, EntropyCutsWhatIsFarAndRareAndKeepsTheRest) {
  for (bool both_sides : {false, true}) {
    MagnitudeHistogram plain, outliers;
    const std::vector<float> values = normal(200'000, both_sides);
    ASSERT_TRUE(plain.add(values) && outliers.add(values));
    ASSERT_TRUE(outliers.add(std::vector<float>(5, 60.0F)));
    EXPECT_GT(plain.range(kEntropy)->high, 2);
    EXPECT_LT(outliers.range(kEntropy)->high, 20);
    EXPECT_GT(outliers.range(kEntropy)->high, 2);
    EXPECT_EQ(outliers.range(kAll)->high, 60);
    EXPECT_EQ(outliers.range(kEntropy)->low < 0, both_sides);
  }
}

TEST(Histogram, EntropyKeepsAllOfAUniformDistribution) {
  MagnitudeHistogram histogram;
  std::vector<float> values;
  for (int i = 1; i <= 100'000; ++i) values.push_back(static_cast<float>(i) / 100'000);
  ASSERT_TRUE(histogram.add(values));
  EXPECT_GT(histogram.range(kEntropy)->high, 0.98F);
}

TEST(Histogram, RefusesWhatIsNotFiniteAndAddsNothing) {
  MagnitudeHistogram histogram;
  for (float bad : {NAN, std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
    EXPECT_FALSE(histogram.add(std::vector{1.0F, bad}));
    EXPECT_FALSE(histogram.range(kAll));
  }
  ASSERT_TRUE(histogram.add(std::vector{std::numeric_limits<float>::max(), 1e-38F}));
  EXPECT_EQ(histogram.range(kAll)->high, std::numeric_limits<float>::max());
}

}  // namespace
}  // namespace atrous
