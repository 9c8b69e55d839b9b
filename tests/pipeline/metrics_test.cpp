// SPDX-License-Identifier: Apache-2.0
#include "pipeline/metrics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"

namespace atrous {
namespace {

TEST(Metrics, ByHand) {
  Confusion confusion(4);  // class 3 never occurs
  confusion.add({4, 2, {0, 0, 1, 1, 2, 2, 255, 0}}, {4, 2, {0, 1, 1, 1, 2, 0, 2, 255}});
  EXPECT_EQ(confusion.count(0, 1), 1);
  EXPECT_EQ(confusion.count(0, 4), 1) << "an ignored prediction is a wrong one";
  const Scores s = score(confusion);
  EXPECT_DOUBLE_EQ(s.pixel_accuracy, 4.0 / 7);
  EXPECT_DOUBLE_EQ(s.foreground_accuracy, 3.0 / 4);
  EXPECT_DOUBLE_EQ(s.classes[0].iou, 1.0 / 4);  // 3 of truth, 2 guessed, 1 hit
  EXPECT_DOUBLE_EQ(s.classes[1].iou, 2.0 / 3);
  EXPECT_DOUBLE_EQ(s.classes[2].iou, 1.0 / 2);
  EXPECT_TRUE(std::isnan(s.classes[3].iou));
  EXPECT_DOUBLE_EQ(s.mean_iou, (1.0 / 4 + 2.0 / 3 + 1.0 / 2) / 3);
  EXPECT_DOUBLE_EQ(s.mean_precision, (1.0 / 2 + 2.0 / 3 + 1) / 3);
  EXPECT_DOUBLE_EQ(s.mean_recall, (1.0 / 3 + 1 + 1.0 / 2) / 3);
  EXPECT_DOUBLE_EQ(s.mean_f1, (2.0 / 5 + 4.0 / 5 + 2.0 / 3) / 3);
  EXPECT_DOUBLE_EQ(s.foreground_iou, 3.0 / 5);
}

TEST(Metrics, SetWideIsTheSumOfImages) {
  const LabelMap a{3, 1, {0, 1, 1}}, b{3, 1, {1, 1, 0}}, c{2, 2, {0, 0, 1, 255}}, d{2, 2, {0, 1, 1, 1}};
  Confusion whole(2), first(2), second(2);
  whole.add(a, b), whole.add(c, d);
  first.add(a, b), second.add(c, d);
  first.add(second);
  EXPECT_EQ(score(whole).mean_iou, score(first).mean_iou);
  EXPECT_EQ(score(whole).boundary_iou, score(first).boundary_iou);
}

TEST(Metrics, BoundaryIgnoresTheInside) {
  LabelMap truth{200, 200, std::vector<std::uint8_t>(40000, 0)};
  for (int y = 40; y < 160; ++y)
    for (int x = 40; x < 160; ++x) truth.ids[static_cast<std::size_t>(200 * y + x)] = 1;
  LabelMap hollow = truth;
  for (int y = 90; y < 110; ++y)
    for (int x = 90; x < 110; ++x) hollow.ids[static_cast<std::size_t>(200 * y + x)] = 255;
  Confusion same(2), holed(2);
  same.add(truth, truth), holed.add(hollow, hollow);
  EXPECT_DOUBLE_EQ(score(same).boundary_iou, 1);
  // 2 % of the diagonal of 200x200 is 6 pixels: the square's frame
  EXPECT_EQ(same.boundary_union(1), 120 * 120 - 108 * 108);
  EXPECT_DOUBLE_EQ(score(holed).boundary_iou, 1);
}

TEST(Metrics, RefusesOtherSizesAndIds) {
  Confusion confusion(2);
  EXPECT_THROW(confusion.add({2, 1, {0, 1}}, {1, 2, {0, 1}}), Error);
  EXPECT_THROW(confusion.add({2, 1, {0, 2}}, {2, 1, {0, 1}}), Error);
  EXPECT_THROW(confusion.add({2, 1, {0, 1}}, {2, 1, {0, 7}}), Error);
}

}  // namespace
}  // namespace atrous
