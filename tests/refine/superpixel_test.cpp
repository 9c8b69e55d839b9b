// SPDX-License-Identifier: Apache-2.0
#include "refine/superpixel.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <array>
#include <random>
#include <set>

#include "core/error.h"

namespace atrous {
namespace {

Image checkers(int width, int height, int cell) {
  Image image{width, height, {}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const bool dark = (x / cell + y / cell) % 2 == 0;
      for (int c = 0; c < 3; ++c) image.rgb.push_back(static_cast<std::uint8_t>(dark ? 30 : 60 * c + 90));
    }
  return image;
}

/// Ids are 0..count-1 and each is one 4-connected region.
void expect_partition(const Superpixels& s) {
  std::set<std::int32_t> started;
  std::vector<bool> seen(s.ids.size(), false);
  for (std::size_t i = 0; i < s.ids.size(); ++i) {
    ASSERT_GE(s.ids[i], 0);
    ASSERT_LT(s.ids[i], s.count);
    if (seen[i]) continue;
    ASSERT_TRUE(started.insert(s.ids[i]).second) << "superpixel " << s.ids[i] << " has two parts";
    std::vector<std::size_t> stack{i};
    seen[i] = true;
    while (!stack.empty()) {
      const std::size_t at = stack.back(), width = static_cast<std::size_t>(s.width);
      stack.pop_back();
      auto visit = [&](std::size_t other) {
        if (!seen[other] && s.ids[other] == s.ids[i]) {
          seen[other] = true;
          stack.push_back(other);
        }
      };
      if (at % width > 0) visit(at - 1);
      if (at % width + 1 < width) visit(at + 1);
      if (at >= width) visit(at - width);
      if (at + width < s.ids.size()) visit(at + width);
    }
  }
  EXPECT_EQ(static_cast<int>(started.size()), s.count);
}

TEST(Slic, MakesAConnectedPartitionOfAboutTheNumberAskedFor) {
  std::mt19937 generator(3);
  Image noise{97, 61, {}};
  for (int i = 0; i < 97 * 61 * 3; ++i) noise.rgb.push_back(static_cast<std::uint8_t>(generator() & 255U));
  const std::vector<Image> images{checkers(97, 61, 9), noise};
  for (const Image& image : images)
    for (int wanted : {1, 7, 60, 300}) {
      const Superpixels s = slic(image.view(), {wanted});
      expect_partition(s);
      EXPECT_LE(s.count, 2 * wanted + 2);
      if (&image != &images[1] && wanted >= 60) {  // else the pieces of noise and the cells are joined
        EXPECT_GE(2 * s.count + 2, wanted);
      }
    }
}

TEST(Slic, FollowsStrongEdges) {
  const int cell = 16;
  const Image image = checkers(128, 96, cell);
  const Superpixels s = slic(image.view(), {48});
  std::vector<std::set<int>> colors(static_cast<std::size_t>(s.count));
  std::size_t mixed = 0;
  for (std::size_t i = 0; i < s.ids.size(); ++i)
    colors[static_cast<std::size_t>(s.ids[i])].insert(image.rgb[3 * i]);
  for (std::int32_t id : s.ids) mixed += colors[static_cast<std::size_t>(id)].size() > 1 ? 1 : 0;
  EXPECT_LT(static_cast<double>(mixed) / static_cast<double>(s.ids.size()), 0.05);
}

TEST(Slic, TakesTheSmallestImagesAndRefusesTooMany) {
  for (auto [width, height] : {std::pair(1, 1), std::pair(1, 20), std::pair(20, 1), std::pair(2, 2)})
    for (int wanted = 1; wanted <= width * height; ++wanted)
      expect_partition(slic(checkers(width, height, 3).view(), {wanted}));
  EXPECT_THROW(slic(checkers(4, 4, 2).view(), {17}), Error);
  EXPECT_THROW(slic(checkers(4, 4, 2).view(), {0}), Error);
}

TEST(Slic, DoesNotDependOnThreads) {
  const Image image = checkers(120, 90, 7);
  const int before = omp_get_max_threads();
  omp_set_num_threads(1);
  const Superpixels one = slic(image.view(), {100});
  omp_set_num_threads(3);
  EXPECT_EQ(slic(image.view(), {100}).ids, one.ids);
  omp_set_num_threads(before);
}

TEST(Smoothing, TakesTheMeanOfEachSuperpixel) {
  const Superpixels s{3, 1, 2, {0, 0, 1}};
  const ScoreMap scores{3, 1, 2, {1, 2, 3, 6, 5, 8}};
  EXPECT_EQ(smooth_over_superpixels(scores, s).values, (std::vector<float>{2, 4, 2, 4, 5, 8}));
  EXPECT_THROW(smooth_over_superpixels(ScoreMap{2, 1, 1, {0, 0}}, s), Error);
}

TEST(Smoothing, IsTheMeanWhateverTheThreads) {
  const Image image = checkers(83, 41, 6);
  const Superpixels s = slic(image.view(), {50});
  ScoreMap scores{83, 41, 21, {}};
  std::mt19937 random(4);
  for (std::size_t i = 0; i < scores.pixels() * 21; ++i)
    scores.values.push_back(static_cast<float>(random() % 1000U) / 1000);
  std::vector<std::array<double, 21>> sums(static_cast<std::size_t>(s.count));
  std::vector<double> sizes(sums.size());
  for (std::size_t i = 0; i < s.ids.size(); ++i) {
    const auto id = static_cast<std::size_t>(s.ids[i]);
    for (std::size_t c = 0; c < 21; ++c) sums[id][c] += scores.pixel(i)[c];
    sizes[id] += 1;
  }
  const int before = omp_get_max_threads();
  omp_set_num_threads(1);
  const ScoreMap one = smooth_over_superpixels(scores, s);
  omp_set_num_threads(3);
  EXPECT_EQ(smooth_over_superpixels(scores, s).values, one.values);
  omp_set_num_threads(before);
  for (std::size_t i = 0; i < s.ids.size(); ++i)
    for (std::size_t c = 0; c < 21; ++c) {
      const auto id = static_cast<std::size_t>(s.ids[i]);
      ASSERT_NEAR(one.pixel(i)[c], sums[id][c] / sizes[id], 1e-6);
    }
}

}  // namespace
}  // namespace atrous
