// SPDX-License-Identifier: Apache-2.0
#include "refine/superpixel_crf.h"

#include <gtest/gtest.h>

#include <numeric>

#include "refine/exact_mean_field.h"
#include "refine/scores.h"

namespace atrous {
namespace {

using test::Case;
using test::random_case;

/// Every pixel a superpixel of its own.
Superpixels single_pixels(const Case& c) {
  Superpixels s{c.image.width, c.image.height, static_cast<int>(c.unary.pixels()), {}};
  s.ids.resize(c.unary.pixels());
  std::iota(s.ids.begin(), s.ids.end(), 0);
  return s;
}

ScoreMap run(const Case& c, const CrfParams& p, const Superpixels& nodes) {
  CrfTimes times;
  return superpixel_crf(c.unary, c.image.view(), p, nodes, times);
}

class NodeNormalizations : public testing::TestWithParam<Normalization> {};
INSTANTIATE_TEST_SUITE_P(All, NodeNormalizations,
                         testing::Values(Normalization::none, Normalization::before, Normalization::after,
                                         Normalization::symmetric));

TEST_P(NodeNormalizations, OnSinglePixelsItIsExactMeanField) {
  const Case c = random_case(11, 9, 5, 31);
  const bool plain = GetParam() == Normalization::none;
  CrfParams p;
  p.iterations = 4;
  p.gaussian = {{3, plain ? 0.06F : 1.0F}};
  p.bilateral = {{8, 60, plain ? 0.03F : 2.0F}};
  p.normalization = GetParam();
  for (const bool matrix : {false, true}) {
    if (matrix)
      for (int i = 0; i < 25; ++i) p.compatibility.push_back(static_cast<float>(i * 7 % 5) / 4);
    const std::vector<double> exact = test::exact_mean_field(c, p);
    const ScoreMap q = run(c, p, single_pixels(c));
    for (std::size_t i = 0; i < exact.size(); ++i) ASSERT_NEAR(q.values[i], exact[i], 1e-4) << i;
  }
}

/// Where the pixels of a superpixel are equal and kernels far wider than it, each of them hears the same.
TEST(SuperpixelCrf, IsNearThePixelsCrfWhereKernelsAreWide) {
  Case c = random_case(32, 32, 3, 32);
  Superpixels blocks{32, 32, 64, {}};
  for (int i = 0; i < 32 * 32; ++i) {
    blocks.ids.push_back(i / 128 * 8 + i % 32 / 4);
    const std::size_t first = static_cast<std::size_t>(i / 128 * 128 + i % 32 / 4 * 4) * 3;  // of the block
    for (std::size_t k = 0; k < 3; ++k)
      c.unary.pixel(static_cast<std::size_t>(i))[k] = c.unary.values[first + k];
    for (std::size_t k = 0; k < 3; ++k)
      c.image.rgb[3 * static_cast<std::size_t>(i) + k] = static_cast<std::uint8_t>(blocks.ids.back() * 4);
  }
  CrfParams p;
  p.iterations = 5;
  p.bilateral = {{20, 40, 3}};
  const std::vector<double> exact = test::exact_mean_field(c, p);
  const ScoreMap q = run(c, p, blocks), alone = softmax_of(c.unary, -1);
  double apart = 0, moved = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    apart += std::abs(exact[i] - q.values[i]);
    moved += std::abs(exact[i] - alone.values[i]);
  }
  EXPECT_LT(apart, 0.05 * moved);
}

TEST(SuperpixelCrf, TakesTheNarrowestKernels) {
  const Case c = random_case(60, 50, 3, 35);
  for (const char* normalization : {"none", "before", "after", "symmetric"}) {
    const ScoreMap q =
        dense_crf(c.unary, c.image.view(),
                  parse_crf(std::string("on=superpixels,gaussian_sxy=0.001,bilateral_sxy=0.001,"
                                        "bilateral_srgb=0.001,normalization=") +
                            normalization));
    for (std::size_t i = 0; i < q.pixels(); ++i)
      ASSERT_NEAR(q.pixel(i)[0] + q.pixel(i)[1] + q.pixel(i)[2], 1, 1e-5) << normalization;
  }
}

}  // namespace
}  // namespace atrous
