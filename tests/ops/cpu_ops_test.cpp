// SPDX-License-Identifier: Apache-2.0
// Every operator's implementations against the double-precision reference.
#include <gtest/gtest.h>

#include <random>

#include "support/run_case.h"

namespace atrous {
namespace {

using test::expect_case;

Conv2dParams conv(int oc, int k, int s = 1, int d = 1, int groups = 1) {
  Conv2dParams p;
  p.oc = oc, p.kh = p.kw = k, p.sh = p.sw = s, p.dh = p.dw = d, p.groups = groups;
  const int pad = d * (k - 1) / 2;
  p.padding = {false, pad, pad, pad, pad};
  return p;
}

class AtrousRates : public testing::TestWithParam<int> {};
TEST_P(AtrousRates, Conv2d) {
  const int rate = GetParam();
  for (int channels : {1, 7, 16, 17, 33}) {
    expect_case({"3x3", conv(channels + 2, 3, 1, rate), {{1, 19, 23, channels}}});
    expect_case({"depthwise", conv(0, 3, 1, rate, 0), {{2, 19, 23, channels}}});
  }
}
INSTANTIATE_TEST_SUITE_P(Rates, AtrousRates, testing::Values(1, 2, 4, 6, 12, 18, 24, 36));

TEST(Conv2d, EveryRateTo36) {
  for (int rate = 1; rate <= 36; ++rate) {
    expect_case({"rate " + std::to_string(rate), conv(16, 3, 1, rate), {{1, 13, 41, 8}}});
    expect_case({"depthwise at rate " + std::to_string(rate), conv(0, 3, 1, rate, 0), {{1, 13, 41, 16}}});
  }
}

TEST(Conv2d, KernelsStridesAndPaddings) {
  for (int k : {1, 2, 3, 5, 7})
    for (int s : {1, 2, 3}) {
      expect_case({"square", conv(20, k, s), {{1, 21, 17, 12}}});
      Conv2dParams same = conv(9, k, s);
      same.padding = {true};
      expect_case({"same", same, {{1, 20, 18, 5}}});
    }
  Conv2dParams odd = conv(8, 3, 2);
  odd.padding = {false, 0, 1, 2, 3};
  expect_case({"asymmetric", odd, {{2, 9, 11, 3}}});
  Conv2dParams flat = conv(5, 3);
  flat.kh = 1, flat.dw = 3, flat.sw = 2, flat.padding = {false, 0, 3, 0, 3};
  expect_case({"1x3", flat, {{1, 6, 20, 4}}});
  for (int groups : {2, 3, 6}) expect_case({"grouped", conv(12, 3, 1, 2, groups), {{1, 10, 9, 6}}});
  expect_case({"multiplier", conv(14, 3, 1, 1, 7), {{1, 8, 8, 7}}});
  for (int k : {3, 5}) expect_case({"wide depthwise", conv(0, k, 2, 1, 0), {{1, 15, 14, 96}}});
}

TEST(Conv2d, ManyChannelsAndPixelsThatNoTapMeets) {
  expect_case({"many channels", conv(33, 3, 1, 2), {{2, 7, 9, 530}}});
  Conv2dParams lost = conv(18, 3, 1, 2);
  lost.has_bias = true, lost.padding = {false, 9, 9, 9, 9};
  expect_case({"lost in the padding", lost, {{1, 5, 6, 20}}});
  lost.activation.kind = ActivationKind::hardswish;
  expect_case({"lost in the padding", lost, {{1, 5, 6, 20}}});
}

TEST(Conv2d, FusedBiasActivationAndResidual) {
  for (auto kind :
       {ActivationKind::none, ActivationKind::relu, ActivationKind::relu6, ActivationKind::leaky_relu,
        ActivationKind::sigmoid, ActivationKind::hardsigmoid, ActivationKind::hardswish, ActivationKind::silu,
        ActivationKind::gelu_erf, ActivationKind::gelu_tanh, ActivationKind::tanh, ActivationKind::clip})
    for (bool residual : {false, true})
      for (int groups : {1, 0}) {
        Conv2dParams p = conv(16, 3, 1, 2, groups);
        p.has_bias = true, p.has_residual = residual;
        p.activation = {kind, kind == ActivationKind::clip ? -0.5F : 0.1F, 0.75F};
        std::vector<Shape> inputs{{1, 9, 8, 16}};
        if (residual) inputs.push_back({1, 9, 8, 16});
        expect_case({"fused " + std::to_string(static_cast<int>(kind)), p, inputs, 1e-4});
      }
}

TEST(Conv2d, SmallIntegersAreExact) {
  for (int d : {1, 3}) expect_case({"integers", conv(17, 3, 1, d), {{1, 12, 13, 9}}}, true);
  expect_case({"integers", conv(0, 5, 2, 1, 0), {{1, 12, 13, 9}}}, true);
}

TEST(Conv2d, RandomShapes) {
  const unsigned seed = 20250;
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 generator(seed);
  auto pick = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(generator); };
  for (int i = 0; i < 60; ++i) {
    Conv2dParams p;
    const int groups = pick(0, 3) == 0 ? pick(1, 4) : 1;
    const int ic = groups * pick(1, 20);
    p.groups = groups, p.oc = groups * pick(1, 20);
    p.kh = pick(1, 4), p.kw = pick(1, 4), p.sh = pick(1, 3), p.sw = pick(1, 3), p.dh = pick(1, 5),
    p.dw = pick(1, 5);
    p.padding = {false, pick(0, 6), pick(0, 6), pick(0, 6), pick(0, 6)};
    p.has_bias = pick(0, 1) == 1;
    const Shape in{pick(1, 2), pick(1, 12) + p.dh * (p.kh - 1), pick(1, 12) + p.dw * (p.kw - 1), ic};
    expect_case({"random " + std::to_string(i), p, {in}});
  }
}

TEST(Activation, All) {
  for (int kind = 1; kind <= static_cast<int>(ActivationKind::clip); ++kind)
    expect_case({"activation " + std::to_string(kind),
                 ActivationParams{static_cast<ActivationKind>(kind), -0.4F, 0.9F},
                 {{2, 3, 5, 33}}});
}

TEST(Binary, AllWithBroadcasting) {
  for (auto kind : {BinaryKind::add, BinaryKind::sub, BinaryKind::mul, BinaryKind::max, BinaryKind::min}) {
    expect_case({"equal", BinaryParams{kind}, {{2, 4, 5, 17}, {2, 4, 5, 17}}});
    expect_case({"channel", BinaryParams{kind}, {{2, 4, 5, 17}, {1, 1, 1, 17}}});
    expect_case({"pixel", BinaryParams{kind}, {{2, 4, 5, 1}, {2, 4, 5, 17}}});
    expect_case({"row", BinaryParams{kind}, {{1, 4, 1, 3}, {2, 4, 5, 3}}});
    expect_case({"scalar", BinaryParams{kind, true, 1.5F}, {{2, 4, 5, 7}}});
  }
  expect_case({"div", BinaryParams{BinaryKind::div, true, 3.0F}, {{2, 4, 5, 7}}});
}

TEST(BatchNorm, All) { expect_case({"batch norm", BatchNormParams{1e-3F}, {{2, 5, 3, 33}}}); }

TEST(Pool2d, Windows) {
  for (auto kind : {PoolKind::max, PoolKind::average})
    for (int k : {2, 3})
      for (int s : {1, 2, 3})
        for (bool ceil : {false, true})
          for (bool include : {false, true})
            for (int pad : {0, 1}) {
              Pool2dParams p{kind, k, k, s, s};
              p.padding = {false, pad, pad, pad, pad};
              p.ceil_mode = ceil, p.count_include_pad = include && kind == PoolKind::average;
              expect_case({"pool", p, {{1, 11, 14, 7}}});
            }
  Pool2dParams dilated{PoolKind::max, 3, 3, 1, 1, 2, 3};
  expect_case({"dilated", dilated, {{1, 11, 14, 5}}});
  Pool2dParams same{PoolKind::average, 3, 3, 2, 2};
  same.padding = {true};
  expect_case({"same", same, {{1, 10, 13, 5}}});
}

TEST(Pool2d, GlobalAndAdaptiveBins) {
  for (auto kind : {PoolKind::max, PoolKind::average}) {
    Pool2dParams global{kind};
    global.global = true;
    expect_case({"global", global, {{2, 9, 13, 33}}});
    for (int bins : {1, 2, 3, 6}) {
      Pool2dParams adaptive{kind};
      adaptive.bins_h = bins, adaptive.bins_w = bins + 1;
      expect_case({"bins", adaptive, {{1, 13, 17, 5}}});
    }
  }
}

TEST(Resize, All) {
  for (auto mode : {ResizeMode::bilinear, ResizeMode::nearest})
    for (auto coordinates : {ResizeCoordinates::half_pixel, ResizeCoordinates::align_corners})
      for (auto [h, w] :
           {std::pair(1, 1), std::pair(9, 9), std::pair(31, 22), std::pair(4, 5), std::pair(18, 27)})
        expect_case({"resize", ResizeParams{mode, coordinates, h, w}, {{2, 9, 9, 7}}});
  expect_case({"from one pixel",
               ResizeParams{ResizeMode::bilinear, ResizeCoordinates::half_pixel, 6, 5},
               {{2, 1, 1, 33}}});
  expect_case({"factor",
               ResizeParams{ResizeMode::bilinear, ResizeCoordinates::half_pixel, 0, 0, 2.5F, 0.5F},
               {{1, 8, 8, 3}}});
  ResizeParams like;
  like.like = true;
  expect_case({"like", like, {{1, 4, 5, 3}, {1, 9, 7, 2}}});
}

TEST(Layout, PadConcatSliceIdentity) {
  expect_case({"pad", PadParams{1, 2, 3, 4, 0.5F}, {{2, 3, 4, 5}}});
  expect_case({"concat", ConcatParams{}, {{2, 3, 4, 5}, {2, 3, 4, 1}, {2, 3, 4, 16}}});
  expect_case({"slice c", SliceParams{Axis::c, 2, 5}, {{2, 3, 4, 7}}});
  expect_case({"slice h", SliceParams{Axis::h, 1, -1}, {{2, 6, 4, 7}}});
  expect_case({"slice w", SliceParams{Axis::w, 1, 0}, {{2, 6, 4, 7}}});
  expect_case({"identity", IdentityParams{}, {{2, 6, 4, 7}}});
}

TEST(Channels, SoftmaxArgmaxMeansLrn) {
  for (int channels : {1, 7, 21}) {
    expect_case({"softmax", SoftmaxParams{}, {{2, 3, 5, channels}}});
    expect_case({"argmax", ArgmaxParams{}, {{2, 3, 5, channels}}});
    expect_case({"lrn", LrnParams{5, 0.5F, 0.75F, 2}, {{2, 3, 5, channels}}});
  }
  expect_case({"spatial mean", ReduceMeanParams{true}, {{2, 7, 5, 33}}});
  expect_case({"channel mean", ReduceMeanParams{false}, {{2, 7, 5, 33}}});
}

TEST(FullyConnected, All) {
  for (bool bias : {false, true}) {
    FullyConnectedParams p{11, bias, {}};
    expect_case({"vector", p, {{2, 1, 1, 40}}});
    p.activation.kind = ActivationKind::relu;
    expect_case({"map", p, {{3, 5, 4, 6}}});
  }
}

}  // namespace
}  // namespace atrous
