// SPDX-License-Identifier: Apache-2.0
#include "refine/square_crf.h"

#include <gtest/gtest.h>

#include <cmath>

#include "refine/exact_mean_field.h"
#include "refine/scores.h"

namespace atrous {
namespace {

using test::Case;
using test::random_case;

double apart(const ScoreMap& a, const ScoreMap& b) {  // on average
  double sum = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) sum += std::abs(a.values[i] - b.values[i]);
  return sum / static_cast<double>(a.values.size());
}

/// Three regions of one colour each, with unaries that mostly say so, but not at every pixel.
Case regions(int width, int height) {
  Case c = random_case(width, height, 3, 41);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const auto i = static_cast<std::size_t>(y * width + x);
      const int region = x < width / 2 ? 0 : y < height / 2 ? 1 : 2;
      for (std::size_t k = 0; k < 3; ++k)
        c.image.rgb[3 * i + k] = static_cast<std::uint8_t>(60 + 60 * region);
      c.unary.pixel(i)[region] -= 1.5F;
    }
  return c;
}

/// Where colours have no fine detail the squares say what the pixels say, at odd sizes too.
TEST(SquareCrf, IsNearTheCrfOnPixels) {
  for (auto [width, height] : {std::pair(64, 48), std::pair(63, 47)})
    for (const char* normalization : {"none", "before", "after", "symmetric"}) {
      const Case c = regions(width, height);
      const std::string weights =
          std::string(normalization) == "none" ? "gaussian_weight=0.1,bilateral_weight=0.01" : "kk";
      const std::string text = (weights == "kk" ? "kk," : weights + ",bilateral_sxy=20,bilateral_srgb=20,") +
                               std::string("normalization=") + normalization;
      const ScoreMap pixels = dense_crf(c.unary, c.image.view(), parse_crf(text));
      const ScoreMap squares = dense_crf(c.unary, c.image.view(), parse_crf(text + ",on=squares"));
      const double moved = apart(pixels, softmax_of(c.unary, -1));
      EXPECT_GT(moved, 0.05) << normalization;
      EXPECT_LT(apart(squares, pixels), 0.15 * moved) << normalization << " " << width << "x" << height;
    }
}

/// A square's messages reach its pixels: with no pairwise terms there are none.
TEST(SquareCrf, WithoutPairwiseTermsIsTheUnary) {
  const Case c = random_case(21, 14, 4, 42);
  CrfParams p = parse_crf("gaussian_weight=0,bilateral_weight=0,on=squares");
  EXPECT_LT(apart(dense_crf(c.unary, c.image.view(), p), softmax_of(c.unary, -1)), 1e-5);
}

}  // namespace
}  // namespace atrous
