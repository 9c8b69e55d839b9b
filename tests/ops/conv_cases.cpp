// SPDX-License-Identifier: Apache-2.0
// Convolutions and dense layers, on the backend the program is linked with.
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
  for (int rate = 1; rate <= 36; rate += test::kSanitized ? 5 : 1) {
    expect_case({"rate " + std::to_string(rate), conv(16, 3, 1, rate), {{1, 13, 41, 8}}});
    expect_case({"depthwise at rate " + std::to_string(rate), conv(0, 3, 1, rate, 0), {{1, 13, 41, 16}}});
  }
}

TEST(Conv2d, KernelsStridesAndPaddings) {
  for (int k : {1, 2, 3, 5, 7})
    for (int s : {1, 2, 3}) {
      expect_case({"square", conv(20, k, s), {{1, 13, 11, 12}}});
      Conv2dParams same = conv(9, k, s);
      same.padding = {true};
      expect_case({"same", same, {{1, 12, 10, 5}}});
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
  expect_case({"many channels", conv(33, 3, 1, 2), {{2, 4, 5, 530}}});
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
        expect_case({"fused " + std::to_string(static_cast<int>(kind)), p, inputs});
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
