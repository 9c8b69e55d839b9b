// SPDX-License-Identifier: Apache-2.0
// Depthwise separable convolutions, for backends that have them.
#include <gtest/gtest.h>

#include "support/run_case.h"

namespace atrous {
namespace {

using test::expect_case;

SeparableParams separable(int oc, int k, int stride = 1, int rate = 1) {
  SeparableParams p;
  p.depthwise.groups = 0, p.depthwise.kh = p.depthwise.kw = k;
  p.depthwise.sh = p.depthwise.sw = stride, p.depthwise.dh = p.depthwise.dw = rate;
  const int pad = rate * (k - 1) / 2;
  p.depthwise.padding = {false, pad, pad, pad, pad};
  p.pointwise.oc = oc;
  return p;
}

SeparableParams with_biases(SeparableParams p) {
  p.depthwise.has_bias = p.pointwise.has_bias = true;
  return p;
}

class SeparableRates : public testing::TestWithParam<int> {};
TEST_P(SeparableRates, KernelsAndChannels) {
  for (int k : {3, 5})
    for (int channels : {1, 7, 16, 17, 33})
      expect_case({"k" + std::to_string(k),
                   with_biases(separable(channels + 2, k, 1, GetParam())),
                   {{2, 11, 13, channels}}});
}
INSTANTIATE_TEST_SUITE_P(Rates, SeparableRates, testing::Values(1, 2, 6, 18));

TEST(Separable, StridesAndPaddings) {
  for (int k : {3, 5})
    for (int stride : {2, 3}) {
      expect_case({"strided", with_biases(separable(24, k, stride)), {{1, 15, 14, 40}}});
      SeparableParams same = separable(9, k, stride);
      same.depthwise.padding = {true};
      expect_case({"same", same, {{2, 12, 10, 8}}});
    }
  SeparableParams odd = separable(10, 3, 2, 3);
  odd.depthwise.kw = 2, odd.depthwise.sw = 1, odd.depthwise.padding = {false, 0, 5, 4, 1};
  expect_case({"uneven", odd, {{1, 10, 12, 16}}});
  SeparableParams lost = with_biases(separable(18, 3, 1, 2));
  lost.depthwise.padding = {false, 9, 9, 9, 9};
  lost.depthwise.activation.kind = ActivationKind::sigmoid;  // not zero where no tap meets the input
  expect_case({"lost in the padding", lost, {{1, 5, 6, 20}}});
}

TEST(Separable, ActivationsOfBothAndResidual) {
  for (auto first : {ActivationKind::relu6, ActivationKind::hardswish, ActivationKind::silu})
    for (auto second : {ActivationKind::none, ActivationKind::relu, ActivationKind::leaky_relu})
      for (bool residual : {false, true}) {
        SeparableParams p = with_biases(separable(24, 3, 1, 2));
        p.depthwise.activation.kind = first;
        p.pointwise.activation = {second, 0.1F, 0};
        p.pointwise.has_residual = residual;
        std::vector<Shape> inputs{{1, 9, 8, 32}};
        if (residual) inputs.push_back({1, 9, 8, 24});
        expect_case({"fused", p, inputs});
      }
}

TEST(Separable, ManyChannels) {
  expect_case({"many in", with_biases(separable(20, 3)), {{1, 5, 6, 610}}});
  expect_case({"many out", with_biases(separable(530, 3)), {{2, 4, 5, 40}}});
  expect_case({"more than shared memory holds", separable(8, 3), {{1, 3, 2, 4000}}});
}

TEST(Separable, SmallIntegersAreExact) {
  for (int channels : {9, 16})
    expect_case({"integers", separable(17, 3, 1, 3), {{1, 12, 13, channels}}}, true);
}

}  // namespace
}  // namespace atrous
