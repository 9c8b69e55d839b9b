// SPDX-License-Identifier: Apache-2.0
#include "refine/dense_crf.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/half.h"
#include "refine/exact_mean_field.h"
#include "refine/lattice_mean_field.h"
#include "refine/pixel_order.h"
#include "refine/scores.h"
#include "support/npz.h"

namespace atrous {
namespace {

using test::Case;
using test::exact_mean_field;
using test::random_case;

TEST(DenseCrf, AgreesWithTheReferenceLibrary) {
  ATROUS_SHARED_OR_SKIP(file, "data/crf/crf_a.npz");
  const auto arrays = test::read_npz(file);
  const auto& image = arrays.at("image");
  const auto& reference_q = arrays.at("q");
  const int height = static_cast<int>(image.shape[0]), width = static_cast<int>(image.shape[1]);
  const int classes = static_cast<int>(arrays.at("unary").shape[0]);
  const auto* params = arrays.at("params").as<double>();
  ASSERT_EQ(arrays.at("params").type, "<f8");
  CrfParams crf;
  crf.iterations = static_cast<int>(params[3]);
  crf.gaussian = {{static_cast<float>(params[4]), static_cast<float>(params[5])}};
  crf.bilateral = {
      {static_cast<float>(params[6]), static_cast<float>(params[7]), static_cast<float>(params[8])}};
  ScoreMap unary{width, height, classes, {}};
  const std::size_t pixels = unary.pixels();
  unary.values.resize(pixels * static_cast<std::size_t>(classes));
  for (std::size_t c = 0; c < static_cast<std::size_t>(classes); ++c)
    for (std::size_t i = 0; i < pixels; ++i)
      unary.pixel(i)[c] = arrays.at("unary").as<float>()[c * pixels + i];
  const ImageView view{image.bytes.data(), width, height, std::ptrdiff_t{3} * width};
  const ScoreMap q = dense_crf(unary, view, crf);
  double worst = 0, sum = 0;
  std::size_t equal = 0;
  const LabelMap labels = argmax(q);
  for (std::size_t i = 0; i < pixels; ++i) {
    std::size_t best = 0;
    for (std::size_t c = 0; c < static_cast<std::size_t>(classes); ++c) {
      auto reference = [&](std::size_t k) {
        return half_to_float(reference_q.as<std::uint16_t>()[k * pixels + i]);
      };
      if (reference(c) > reference(best)) best = c;
      const double difference = std::abs(q.pixel(i)[c] - reference(c));
      worst = std::max(worst, difference);
      sum += difference;
    }
    equal += labels.ids[i] == best ? 1 : 0;
  }
  EXPECT_GE(static_cast<double>(equal) / static_cast<double>(pixels), 0.999);
  EXPECT_LE(worst, 0.02);
  EXPECT_LE(sum / static_cast<double>(pixels * static_cast<std::size_t>(classes)), 0.001);
}

class Normalizations : public testing::TestWithParam<Normalization> {};

/// The lattice approximates the Gaussian, so the tolerance is that of a filter, not of arithmetic.
TEST_P(Normalizations, ApproximatesExactMeanField) {
  Case c = random_case(14, 11, 3, 5);
  for (std::size_t i = 0; i < c.image.rgb.size(); ++i)
    c.image.rgb[i] = static_cast<std::uint8_t>(40 + i / 3 % 14 * 8);
  CrfParams p;
  p.iterations = 3;
  p.gaussian = {{3, GetParam() == Normalization::none ? 0.06F : 1.0F}};
  p.bilateral = {{8, 40, GetParam() == Normalization::none ? 0.03F : 2.0F}};
  p.normalization = GetParam();
  const std::vector<double> exact = exact_mean_field(c, p);
  const ScoreMap q = dense_crf(c.unary, c.image.view(), p);
  double sum = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) sum += std::abs(exact[i] - q.values[i]);
  EXPECT_LT(sum / static_cast<double>(exact.size()), 0.03);
  const ScoreMap plain = softmax_of(c.unary, -1);
  double moved = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) moved += std::abs(exact[i] - plain.values[i]);
  EXPECT_GT(moved, 2 * sum) << "the pairwise terms must matter for this test to mean something";
}
INSTANTIATE_TEST_SUITE_P(All, Normalizations,
                         testing::Values(Normalization::none, Normalization::before, Normalization::after,
                                         Normalization::symmetric));

TEST(DenseCrf, WithoutPairwiseTermsIsTheUnary) {
  const Case c = random_case(20, 15, 4, 2);
  CrfParams p = parse_crf("gaussian_weight=0,bilateral_weight=0");
  EXPECT_EQ(dense_crf(c.unary, c.image.view(), p).values, softmax_of(c.unary, -1).values);
}

/// Labels of one block, of several, and as many as there can be.
TEST(DenseCrf, PottsMatrixEqualsPotts) {
  for (const int classes : {3, 40, 256}) {
    const Case c = random_case(24, 18, classes, 3);
    CrfParams potts = parse_crf("deeplab-v1,prune=0"), matrix = potts;
    for (int i = 0; i < classes * classes; ++i)
      matrix.compatibility.push_back(i % (classes + 1) == 0 ? 0.0F : 1.0F);
    const ScoreMap a = dense_crf(c.unary, c.image.view(), potts),
                   b = dense_crf(c.unary, c.image.view(), matrix);
    for (std::size_t i = 0; i < a.values.size(); ++i) ASSERT_NEAR(a.values[i], b.values[i], 2e-3) << classes;
  }
}

/// What the CRF's nodes can be.
class Nodes : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(All, Nodes, testing::Values("on=pixels", "on=squares", "on=superpixels"));

TEST_P(Nodes, TheResultDoesNotDependOnThreads) {
  const Case c = random_case(90, 71, 5, 4);
  const CrfParams p = parse_crf(GetParam());
  const int before = omp_get_max_threads();
  omp_set_num_threads(1);
  const ScoreMap one = dense_crf(c.unary, c.image.view(), p);
  for (int threads : {2, 3}) {
    omp_set_num_threads(threads);
    EXPECT_EQ(dense_crf(c.unary, c.image.view(), p).values, one.values) << threads << " threads";
  }
  omp_set_num_threads(before);
}

TEST_P(Nodes, TakeTheSmallestImages) {
  for (auto [width, height] : {std::pair(1, 1), std::pair(1, 9), std::pair(40, 1)})
    for (int classes : {1, 2}) {
      const Case c = random_case(width, height, classes, 6);
      const ScoreMap q = dense_crf(c.unary, c.image.view(), parse_crf(GetParam()));
      for (std::size_t i = 0; i < q.pixels(); ++i) {
        float sum = 0;
        for (int l = 0; l < classes; ++l) sum += q.pixel(i)[l];
        EXPECT_NEAR(sum, 1, 1e-5);
      }
    }
}

/// Whole vectors, parts of them, more than fit the registers; values that half precision holds and that it
/// does not.
TEST(DenseCrf, AgreesWithExactMeanFieldForAnyNumberOfLabels) {
  for (int classes : {2, 8, 9, 17, 32, 33, 256})
    for (Normalization normalization : {Normalization::symmetric, Normalization::none}) {
      Case c = random_case(12, 9, classes, 11);
      for (std::size_t i = 0; i < c.image.rgb.size(); ++i)
        c.image.rgb[i] = static_cast<std::uint8_t>(40 + i / 3 % 12 * 8);
      CrfParams p;
      p.iterations = 3;
      const bool plain = normalization == Normalization::none;
      p.gaussian = {{3, plain ? 0.06F : 1.0F}};
      p.bilateral = {{8, 40, plain ? 0.03F : 2.0F}};
      p.normalization = normalization;
      const std::vector<double> exact = exact_mean_field(c, p);
      const ScoreMap q = dense_crf(c.unary, c.image.view(), p);
      double sum = 0;
      for (std::size_t i = 0; i < exact.size(); ++i) sum += std::abs(exact[i] - q.values[i]);
      EXPECT_LT(sum / static_cast<double>(c.unary.pixels()), 0.06) << classes << " classes";
    }
}

/// Regions of the first `winners` labels; pixels that start with a wrong label, whose region's label is
/// improbable until the messages come; and pixels whose second label, one of all, is probable until then.
Case regions(int width, int height, int classes, int winners) {
  Case c = random_case(width, height, classes, 15);
  for (int i = 0; i < width * height; ++i) {
    const int x = i % width, y = i / width, region = (x / 12 + y / 10 * 5) * 13;
    for (int k = 0; k < 3; ++k)
      c.image.rgb[static_cast<std::size_t>(3 * i + k)] = static_cast<std::uint8_t>(
          region * (k + 2) % 200 + c.image.rgb[static_cast<std::size_t>(3 * i + k)] % 9);
    float* energy = c.unary.pixel(static_cast<std::size_t>(i));
    const int own = region % winners, second = (own + 1 + i % (classes - 1)) % classes;
    for (int l = 0; l < classes; ++l) energy[l] += 14;
    energy[own] = i % 13 == 0 ? 11 : 0;
    if (i % 13 == 0) energy[0] = 0;
    if (i % 11 == 3) energy[second] = 1;
  }
  return c;
}

double largest_difference(const std::vector<double>& expected, const ScoreMap& q) {
  double largest = 0;
  for (std::size_t i = 0; i < expected.size(); ++i)
    largest = std::max(largest, std::abs(expected[i] - q.values[i]));
  return largest;
}

/// The same kernels in double precision: what is left of the difference is half precision and what `stop` and
/// `prune` leave out. One block of labels and several, which win somewhere or which can be left out soon.
TEST(DenseCrf, AgreesWithMeanFieldOnTheSameLattice) {
  for (const auto& [classes, winners] :
       {std::pair(5, 5), std::pair(24, 24), std::pair(100, 100), std::pair(100, 8)}) {
    const Case c = regions(66, 64, classes, winners);
    CrfParams p;
    p.iterations = 5;
    p.gaussian = {{3, 10}};
    p.bilateral = {{30, 10, 8}};
    EXPECT_LT(largest_difference(test::lattice_mean_field(c, p), dense_crf(c.unary, c.image.view(), p)), 0.01)
        << classes << " classes, " << winners << " of which win";
  }
}

/// Likewise with other kernels' sums, and with messages that a matrix adds up: a probability can move further
/// than they.
TEST(DenseCrf, AgreesWithMeanFieldForAnyNormalizationAndMatrix) {
  for (const auto normalization : {Normalization::before, Normalization::after, Normalization::symmetric})
    for (const int classes : {6, 40}) {
      const Case c = regions(66, 20, classes, classes);
      CrfParams p;
      p.iterations = 5;
      p.gaussian = {{3, 1}};
      p.bilateral = {{30, 10, 1}};
      p.normalization = normalization;
      if (normalization == Normalization::symmetric)
        for (int i = 0; i < classes * classes; ++i)
          p.compatibility.push_back(i % (classes + 1) == 0 ? 0 : static_cast<float>(i * 7 % 5));
      EXPECT_LT(largest_difference(test::lattice_mean_field(c, p), dense_crf(c.unary, c.image.view(), p)),
                0.01)
          << classes << " classes";
    }
}

TEST(DenseCrf, ManyCellsAndBlocksDoNotDependOnThreads) {
  const int before = omp_get_max_threads();
  for (const int classes : {5, 40, 100})
    for (const bool matrix : {false, true}) {
      if (matrix && classes == 100) continue;  // takes long
      const Case c = regions(200, 130, classes, classes);
      CrfParams p = parse_crf("iterations=4");
      if (matrix) p.compatibility.assign(static_cast<std::size_t>(classes * classes), 0.5F);
      omp_set_num_threads(1);
      const ScoreMap one = dense_crf(c.unary, c.image.view(), p);
      for (const int threads : {2, 3, 8}) {
        omp_set_num_threads(threads);
        ASSERT_EQ(dense_crf(c.unary, c.image.view(), p).values, one.values) << threads << " threads";
      }
    }
  omp_set_num_threads(before);
}

TEST(PixelOrder, HasEveryPixelOnce) {
  for (const auto& [width, height] :
       {std::pair(1, 1), std::pair(7, 300), std::pair(65, 129), std::pair(640, 9)}) {
    LargeVector<std::int32_t> order = pixel_order(width, height);
    std::sort(order.begin(), order.end());
    ASSERT_EQ(std::ssize(order), std::int64_t{width} * height);
    for (std::size_t i = 0; i < order.size(); ++i) ASSERT_EQ(order[i], static_cast<std::int32_t>(i));
  }
}

/// Labels that no pixel wants are left out on the way; what is left must be what it would be without them.
TEST(DenseCrf, HopelessLabelsChangeNothing) {
  Case few = random_case(60, 50, 3, 12);
  constexpr int kMany = 100;  // the three in three of four blocks
  Case many{few.image, {60, 50, kMany, {}}};
  for (std::size_t i = 0; i < few.unary.pixels(); ++i)
    for (int l = 0; l < kMany; ++l)
      many.unary.values.push_back(l % 40 == 4 ? few.unary.pixel(i)[l / 40] : 25.0F);
  const ScoreMap a = dense_crf(few.unary, few.image.view(), parse_crf("")),
                 b = dense_crf(many.unary, many.image.view(), parse_crf(""));
  for (std::size_t i = 0; i < a.pixels(); ++i)
    for (int l = 0; l < kMany; ++l)
      ASSERT_NEAR(b.pixel(i)[l], l % 40 == 4 ? a.pixel(i)[l / 40] : 0.0F, 3e-3)
          << "pixel " << i << " label " << l;
}

TEST(DenseCrf, StopAndPruneTradeAccuracy) {
  Case c = random_case(60, 50, 44, 14);  // more labels than a block has, half of them improbable
  for (std::size_t i = 0; i < c.unary.values.size(); ++i) c.unary.values[i] += i % 2 == 0 ? 0 : 4;
  const ScoreMap full = dense_crf(c.unary, c.image.view(), parse_crf(""));
  auto apart = [&](const ScoreMap& a, const ScoreMap& b) {  // on average
    double sum = 0;
    for (std::size_t i = 0; i < a.values.size(); ++i) sum += std::abs(a.values[i] - b.values[i]);
    return sum / static_cast<double>(a.values.size());
  };
  auto with = [&](const char* text) { return dense_crf(c.unary, c.image.view(), parse_crf(text)); };
  EXPECT_EQ(apart(with("stop=2.44140625e-4,prune=1.953125e-03"), full), 0) << "the defaults";
  EXPECT_LT(apart(with("stop=0,prune=0"), full), 1e-4);
  EXPECT_GT(apart(with("stop=0.01"), full), 0);
  EXPECT_LT(apart(with("stop=0.01"), full), 0.01);
  EXPECT_LT(apart(with("stop=1"), softmax_of(c.unary, -1)), 1e-3) << "nothing moves";
  EXPECT_GT(apart(with("prune=1"), full), 0);
  EXPECT_LT(apart(with("prune=1"), full), 1e-3);
}

TEST(DenseCrf, HoldsEnergiesOfAnySize) {
  Case c = random_case(16, 12, 3, 13);
  for (std::size_t i = 0; i < c.unary.values.size(); ++i)
    c.unary.values[i] = i % 3 == i / 3 % 3 ? -1e30F : 1e30F;
  const ScoreMap q = dense_crf(c.unary, c.image.view(), parse_crf(""));
  const LabelMap labels = argmax(q);
  for (std::size_t i = 0; i < labels.ids.size(); ++i) ASSERT_EQ(labels.ids[i], i % 3);
}

TEST(DenseCrf, RefusesWhatMakesNoSense) {
  Case c = random_case(5, 4, 2, 7);
  Case other = random_case(4, 5, 2, 7);
  EXPECT_THROW(dense_crf(c.unary, other.image.view(), parse_crf("")), Error);
  const Case wide = random_case(5, 4, 257, 7);
  EXPECT_THROW(dense_crf(wide.unary, wide.image.view(), parse_crf("")), Error);
  EXPECT_THROW(dense_crf({0, 0, 2, {}}, {nullptr, 0, 0, 0}, parse_crf("")), Error);
  ScoreMap short_one = c.unary;
  short_one.values.pop_back();
  EXPECT_THROW(dense_crf(short_one, c.image.view(), parse_crf("")), Error);
  CrfParams odd = parse_crf("");
  odd.compatibility = {0, NAN, 1, 0};
  EXPECT_THROW(dense_crf(c.unary, c.image.view(), odd), Error);
  odd = parse_crf("");
  odd.bilateral[0].weight = INFINITY;
  EXPECT_THROW(dense_crf(c.unary, c.image.view(), odd), Error);
  c.unary.values[3] = NAN;
  EXPECT_THROW(dense_crf(c.unary, c.image.view(), parse_crf("")), Error);
}

TEST(CrfParams, ParsesPresetsAndKeys) {
  const CrfParams v1 = parse_crf("deeplab-v1");
  EXPECT_EQ(v1.gaussian[0].sxy, 3);
  EXPECT_EQ(v1.bilateral[0].sxy, 50);
  EXPECT_EQ(v1.bilateral[0].srgb, 10);
  EXPECT_EQ(v1.bilateral[0].weight, 5);
  const CrfParams mixed = parse_crf("kk,iterations=3,normalization=after");
  EXPECT_EQ(mixed.iterations, 3);
  EXPECT_EQ(mixed.bilateral[0].srgb, 20);
  EXPECT_EQ(mixed.normalization, Normalization::after);
  for (const char* bad : {"deeplab-v3", "iterations=-1", "iterations=2.5", "gaussian_sxy=0",
                          "bilateral_weight=nan", "foo=1", "kk,deeplab-v1", "normalization=all"})
    EXPECT_THROW(parse_crf(bad), Error) << bad;
}

}  // namespace
}  // namespace atrous
