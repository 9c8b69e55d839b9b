// SPDX-License-Identifier: Apache-2.0
#include "pipeline/upsample.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace atrous {
namespace {

/// Bilinear by the definition, in double precision.
double reference(const std::vector<float>& logits, const LogitsView& view, double x, double y, int c) {
  const double cx = std::clamp(x, 0.0, view.width - 1.0), cy = std::clamp(y, 0.0, view.height - 1.0);
  double sum = 0;
  for (int j = 0; j < view.height; ++j)
    for (int i = 0; i < view.width; ++i)
      sum += std::max(0.0, 1 - std::abs(cx - i)) * std::max(0.0, 1 - std::abs(cy - j)) *
             static_cast<double>(logits[static_cast<std::size_t>((j * view.width + i) * view.pitch + c)]);
  return sum;
}

TEST(Upsample, AgreesWithTheDefinition) {
  std::mt19937 random(4);
  for (const bool align : {false, true})
    for (const bool mirrored : {false, true}) {
      const Geometry g{37, 23, 60, 37, 65, 49};
      LogitsView view{nullptr, 9, 7, 8, 5, mirrored};
      std::vector<float> logits(static_cast<std::size_t>(view.width * view.height * view.pitch));
      for (float& value : logits) value = static_cast<float>(random() % 1000U) / 100.0F - 5;
      view.data = logits.data();
      const AxisMap mx = photo_to_logits(37, 60, 65, 9, align), my = photo_to_logits(23, 37, 49, 7, align);
      const ScoreMap scores = upsample(view, g, align);
      const LabelMap labels = upsample_argmax(view, g, align);
      ASSERT_EQ(scores.width, 37);
      ASSERT_EQ(scores.height, 23);
      for (int y = 0; y < 23; ++y)
        for (int x = 0; x < 37; ++x) {
          const auto i = static_cast<std::size_t>(y * 37 + x);
          for (int c = 0; c < 5; ++c)
            EXPECT_NEAR(scores.pixel(i)[c],
                        reference(logits, view, mx.factor * (mirrored ? 36 - x : x) + mx.offset,
                                  my.factor * y + my.offset, c),
                        1e-4);
          EXPECT_EQ(labels.ids[i], std::max_element(scores.pixel(i), scores.pixel(i) + 5) - scores.pixel(i));
        }
    }
}

TEST(Upsample, LowestIdWinsATie) {
  const std::vector<float> logits(12, 1);
  const LogitsView view{logits.data(), 2, 2, 3, 3, false};
  const LabelMap labels = upsample_argmax(view, {5, 5, 5, 5, 5, 5}, false);
  EXPECT_EQ(std::count(labels.ids.begin(), labels.ids.end(), 0), 25);
}

}  // namespace
}  // namespace atrous
