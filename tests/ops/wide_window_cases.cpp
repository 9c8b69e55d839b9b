// SPDX-License-Identifier: Apache-2.0
// Windows over channels that fill whole vectors, and over maps that are cut into tiles and slices: depthwise
// convolution, pooling and resizing.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>

#include "support/run_case.h"

namespace atrous {
namespace {

using test::expect_case;

Conv2dParams depthwise(int k, int s, int d) {
  Conv2dParams p;
  p.groups = 0, p.kh = p.kw = k, p.sh = p.sw = s, p.dh = p.dw = d;
  p.padding = {true};
  return p;
}

class WideRates : public testing::TestWithParam<int> {};
TEST_P(WideRates, Depthwise) {
  for (int k : {3, 5})
    for (int s : {1, 2}) {
      expect_case({"one block of channels", depthwise(k, s, GetParam()), {{2, 19, 23, 16}}});
      expect_case({"two blocks of channels", depthwise(k, s, GetParam()), {{1, 10, 41, 72}}});
    }
}
INSTANTIATE_TEST_SUITE_P(Rates, WideRates, testing::Values(1, 2, 3, 4, 6, 12, 18, 24, 36));

TEST(WideDepthwise, MapsSmallerThanTheRate) {
  for (int rate : {1, 12, 36})
    for (auto [h, w] : {std::pair(1, 1), std::pair(1, 40), std::pair(40, 1), std::pair(5, 3)})
      expect_case({"small map", depthwise(3, 1, rate), {{2, h, w, 8}}});
}

TEST(WideDepthwise, AnySize) {
  for (auto [kh, kw] :
       {std::pair(1, 1), std::pair(7, 7), std::pair(2, 4), std::pair(3, 5), std::pair(1, 9)}) {
    Conv2dParams p = depthwise(1, 2, 3);
    p.kh = kh, p.kw = kw, p.sw = 3, p.dw = 2;
    expect_case({"any size", p, {{1, 14, 17, 24}}});
  }
  Conv2dParams p = depthwise(3, 3, 2);
  p.padding = {false, 5, 0, 2, 7};
  expect_case({"stride 3, rate 2, asymmetric", p, {{2, 11, 13, 8}}});
}

TEST(WideDepthwise, FusedBiasActivationAndResidual) {
  for (int kind = 0; kind <= static_cast<int>(ActivationKind::clip); ++kind)
    for (int s : {1, 2}) {
      Conv2dParams p = depthwise(s == 1 ? 5 : 3, s, 2);
      p.has_bias = p.has_residual = true;
      p.activation = {static_cast<ActivationKind>(kind),
                      kind == static_cast<int>(ActivationKind::clip) ? -0.5F : 0.1F, 0.75F};
      const std::int64_t h = (9 + s - 1) / s, w = (8 + s - 1) / s;
      expect_case({"fused " + std::to_string(kind), p, {{1, 9, 8, 16}, {1, h, w, 16}}});
    }
}

TEST(WideDepthwise, RandomGeometry) {
  const unsigned seed = 71;
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 generator(seed);
  auto pick = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(generator); };
  for (int i = 0; i < 40; ++i) {
    Conv2dParams p = depthwise(pick(0, 1) == 0 ? 3 : 5, pick(1, 2), pick(1, 9));
    p.sh = pick(1, 3), p.dh = pick(1, 9);
    p.padding = {false, pick(0, 20), pick(0, 20), pick(0, 20), pick(0, 20)};
    p.has_bias = pick(0, 1) == 1;
    const Shape in{pick(1, 2), pick(1, 30) + p.dh * (p.kh - 1), pick(1, 30) + p.dw * (p.kw - 1),
                   8 * pick(1, 3)};
    expect_case({"random " + std::to_string(i), p, {in}});
  }
}

TEST(WideDepthwise, SmallIntegersAreExact) {
  expect_case({"integers", depthwise(3, 1, 6), {{1, 33, 33, 8}}}, true);
}

TEST(WidePool, Windows) {
  for (auto kind : {PoolKind::max, PoolKind::average})
    for (int s : {1, 2})
      for (bool include : {false, true}) {
        Pool2dParams p{kind, 3, 2, s, s, 2, 1};
        p.padding = {false, 2, 1, 3, 0};
        p.ceil_mode = include, p.count_include_pad = include && kind == PoolKind::average;
        expect_case({"pool", p, {{2, 11, 14, 16}}});
        p.padding = {true}, p.ceil_mode = false;
        expect_case({"same", p, {{1, 10, 37, 72}}});
      }
}

TEST(WidePool, GlobalAndBins) {
  for (auto kind : {PoolKind::max, PoolKind::average}) {
    Pool2dParams global{kind};
    global.global = true;
    for (int channels : {1, 7, 17, 33, 8, 72}) {
      expect_case({"one pixel", global, {{2, 1, 1, channels}}});
      expect_case({"map", global, {{2, 7, 9, channels}}});
      expect_case({"sliced map", global, {{2, 65, 67, channels}}});
    }
    for (int bins : {1, 2, 3, 6}) {
      Pool2dParams adaptive{kind};
      adaptive.bins_h = bins, adaptive.bins_w = bins + 1;
      expect_case({"bins", adaptive, {{2, 45, 53, 16}}});
      expect_case({"more bins than pixels", adaptive, {{1, 2, 3, 8}}});
    }
  }
}

TEST(WideResize, All) {
  for (auto mode : {ResizeMode::bilinear, ResizeMode::nearest})
    for (auto coordinates : {ResizeCoordinates::half_pixel, ResizeCoordinates::align_corners}) {
      for (auto [h, w] :
           {std::pair(1, 1), std::pair(9, 11), std::pair(31, 22), std::pair(4, 5), std::pair(50, 87)})
        expect_case({"resize", ResizeParams{mode, coordinates, h, w}, {{2, 9, 11, 24}}});
      expect_case({"from one pixel", ResizeParams{mode, coordinates, 6, 5}, {{2, 1, 1, 72}}});
      expect_case({"from one row", ResizeParams{mode, coordinates, 6, 5}, {{1, 1, 3, 8}}});
    }
}

}  // namespace
}  // namespace atrous
