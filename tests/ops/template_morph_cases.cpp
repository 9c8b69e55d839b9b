// SPDX-License-Identifier: Apache-2.0
// Template morphing on the backend the program is linked with.
#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <numeric>
#include <random>

#include "support/run_case.h"

namespace atrous {
namespace {

using test::expect_case;

using Box = std::vector<float>;  ///< cx, cy, sx, sy, v

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// A case with coefficients in [-0.3, 0.7), so that masks have values below 0, within [0, 1] and above, and
/// these boxes: of every label of the first image, then of the second.
test::OpCase morph(const std::string& name, const TemplateMorphParams& p, const std::vector<Box>& boxes,
                   unsigned seed = 1) {
  const auto labels = static_cast<std::int64_t>(p.templates.size());
  const std::int64_t images = static_cast<std::int64_t>(boxes.size()) / labels,
                     total = std::accumulate(p.templates.begin(), p.templates.end(), std::int64_t{0});
  test::OpCase result{name, p, {{images, 1, 1, total}, {images, 1, 1, 5 * labels}}};
  std::mt19937 random(seed);
  result.given.resize(2);
  for (std::int64_t i = 0; i < images * total; ++i)
    result.given[0].push_back(std::uniform_real_distribution<float>(-0.3F, 0.7F)(random));
  for (const Box& box : boxes) result.given[1].insert(result.given[1].end(), box.begin(), box.end());
  return result;
}

std::vector<Box> random_boxes(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  auto between = [&](float low, float high) {
    return std::uniform_real_distribution<float>(low, high)(random);
  };
  std::vector<Box> boxes;
  for (std::size_t i = 0; i < count; ++i)
    boxes.push_back({between(-0.2F, 1.2F), between(-0.2F, 1.2F), between(-0.1F, 1.3F), between(-0.1F, 1.3F),
                     between(-0.2F, 1.2F)});
  return boxes;
}

TEST(TemplateMorph, OneLabelOneTemplate) {
  const TemplateMorphParams p{{1}, 5, 7, 9, 11};
  expect_case(morph("inside", p, {{0.5F, 0.5F, 0.4F, 0.6F, 0.8F}}));
  expect_case(morph("the whole map", p, {{0.5F, 0.5F, 1, 1, 1}}));
  expect_case(morph("larger than the map", p, {{0.4F, 0.6F, 3, 5, 1}}));
  expect_case(morph("a mask of one pixel", {{1}, 1, 1, 9, 11}, {{0.5F, 0.5F, 0.5F, 0.5F, 0.5F}}));
  expect_case(morph("a map of one pixel", {{1}, 5, 7, 1, 1}, {{0.6F, 0.4F, 0.7F, 0.7F, 0.9F}}));
  expect_case(morph("a map of one row", {{1}, 5, 7, 1, 33}, {{0.6F, 0.4F, 0.7F, 0.7F, 0.9F}}));
}

TEST(TemplateMorph, BoxesPartlyAndWhollyOutside) {
  const TemplateMorphParams p{{2}, 7, 7, 17, 17};
  for (const float x : {-0.1F, 0.05F, 0.5F, 0.95F, 1.1F})
    for (const float y : {-0.1F, 0.5F, 1.1F}) expect_case(morph("at an edge", p, {{x, y, 0.3F, 0.4F, 0.7F}}));
  for (const Box& box :
       {Box{-1, 0.5F, 0.5F, 0.5F, 1}, Box{2, 0.5F, 0.5F, 0.5F, 1}, Box{0.5F, -1, 0.5F, 0.5F, 1},
        Box{0.5F, 2, 0.5F, 0.5F, 1}, Box{1e30F, -1e30F, 1, 1, 1}})
    expect_case(morph("outside", p, {box}));
  expect_case(morph("vast", p, {{0.5F, 0.5F, 1e30F, 1e30F, 1}}));
}

/// Edges that meet pixel centres exactly: the first belongs to the box, the last does not.
TEST(TemplateMorph, EdgesOnPixelCentres) {
  expect_case(morph("edges on centres", {{1, 1}, 4, 4, 8, 8},
                    {{0.5F, 0.5F, 0.625F, 0.875F, 1}, {0.1875F, 0.3125F, 0.25F, 0.5F, 0.5F}}));
  expect_case(morph("edge in the middle", {{1}, 4, 4, 7, 33}, {{0.75F, 0.25F, 0.5F, 0.5F, 1}}));
}

TEST(TemplateMorph, DegenerateBoxesCoverNothing) {
  const TemplateMorphParams p{{1, 2, 1}, 7, 5, 9, 17};
  const Box good{0.5F, 0.5F, 0.8F, 0.8F, 0.9F};
  for (const Box& bad :
       {Box{0.5F, 0.5F, 0, 0.5F, 1}, Box{0.5F, 0.5F, 0.5F, 0, 1}, Box{0.5F, 0.5F, -0.5F, -0.5F, 1},
        Box{0.5F, 0.5F, 5e-7F, 0.5F, 1}, Box{0.5F, 0.5F, kNaN, 0.5F, 1}, Box{0.5F, 0.5F, 0.5F, kInfinity, 1},
        Box{kNaN, 0.5F, 0.5F, 0.5F, 1}, Box{0.5F, -kInfinity, 0.5F, 0.5F, 1}})
    expect_case(morph("degenerate", p, {good, bad, good}));
  expect_case(morph("a column of one pixel", p, {good, {0.5F, 0.5F, 2e-6F, 0.5F, 1}, good}));
}

TEST(TemplateMorph, VisibilityIsClamped) {
  const TemplateMorphParams p{{2, 2}, 7, 7, 17, 9};
  for (const float v : {0.0F, 1.0F, -0.5F, 1.5F, -kInfinity, kInfinity, 0.25F})
    expect_case(morph("visibility", p, {{0.4F, 0.4F, 0.6F, 0.6F, v}, {0.6F, 0.6F, 0.6F, 0.6F, 0.5F}}));
}

TEST(TemplateMorph, LabelsDifferInTheirTemplates) {
  expect_case(morph("1 to 7 templates", {{1, 7, 3, 5}, 7, 17, 33, 17}, random_boxes(8, 4)));
}

TEST(TemplateMorph, OddSizesSeedsAndBatches) {
  const char* text = std::getenv("ATROUS_TEST_SEED");
  std::mt19937 random(text != nullptr ? static_cast<unsigned>(std::atoi(text)) : 1U);
  for (const int side : {1, 7, 17, 33})
    for (const std::size_t labels : {1U, 6U, 17U}) {
      const auto seed = static_cast<unsigned>(random());
      SCOPED_TRACE("seed " + std::to_string(seed));
      TemplateMorphParams p{{}, side, 34 - side, 33, 1 + side};
      for (std::size_t k = 0; k < labels; ++k) p.templates.push_back(1 + static_cast<int>(random() % 4U));
      expect_case(morph("random", p, random_boxes(2 * labels, seed), seed));
    }
}

/// More labels and more pixels in a row than the kernels take at once.
TEST(TemplateMorph, ManyLabelsAndLongRows) {
  expect_case(morph("254 labels", {std::vector<int>(254, 1), 3, 3, 5, 9}, random_boxes(254, 8)));
  expect_case(morph("a long row", {{1, 2}, 3, 33, 2, 1100}, random_boxes(2, 9)));
  expect_case(morph("a wide mask", {{1}, 2, 1024, 2, 600}, {{0.4F, 0.5F, 0.7F, 1, 1}}));
}

}  // namespace
}  // namespace atrous
