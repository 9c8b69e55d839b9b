// SPDX-License-Identifier: Apache-2.0
// Operators on single values or pixels, and those that only move values, on the backend the program is linked
// with.
#include <gtest/gtest.h>

#include "support/run_case.h"

namespace atrous {
namespace {

using test::expect_case;

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
    expect_case({"channel of an image", BinaryParams{kind}, {{2, 4, 5, 16}, {2, 1, 1, 16}}});
    expect_case({"pixel", BinaryParams{kind}, {{2, 4, 5, 1}, {2, 4, 5, 17}}});
    expect_case({"row", BinaryParams{kind}, {{1, 4, 1, 3}, {2, 4, 5, 3}}});
    expect_case({"scalar", BinaryParams{kind, true, 1.5F}, {{2, 4, 5, 7}}});
  }
  expect_case({"div", BinaryParams{BinaryKind::div, true, 3.0F}, {{2, 4, 5, 7}}});
}

TEST(BatchNorm, All) { expect_case({"batch norm", BatchNormParams{1e-3F}, {{2, 5, 3, 33}}}); }

TEST(Layout, PadConcatSliceIdentity) {
  expect_case({"pad", PadParams{1, 2, 3, 4, 0.5F}, {{2, 3, 4, 5}}});
  expect_case({"concat", ConcatParams{}, {{2, 3, 4, 5}, {2, 3, 4, 1}, {2, 3, 4, 16}}});
  expect_case({"concat of packs", ConcatParams{}, {{2, 3, 4, 16}, {2, 3, 4, 8}, {2, 3, 4, 24}}});
  expect_case({"pad of packs", PadParams{0, 2, 1, 0, -1.0F}, {{2, 3, 4, 16}}});
  expect_case({"slice of packs", SliceParams{Axis::c, 8, 24}, {{2, 3, 4, 40}}});
  expect_case({"slice c", SliceParams{Axis::c, 2, 5}, {{2, 3, 4, 7}}});
  expect_case({"slice h", SliceParams{Axis::h, 1, -1}, {{2, 6, 4, 7}}});
  expect_case({"slice w", SliceParams{Axis::w, 1, 0}, {{2, 6, 4, 7}}});
  expect_case({"identity", IdentityParams{}, {{2, 6, 4, 7}}});
}

TEST(Channels, SoftmaxArgmaxMeansLrn) {
  for (int channels : {1, 7, 21, 70}) {
    expect_case({"softmax", SoftmaxParams{}, {{2, 3, 5, channels}}});
    expect_case({"softmax of large scores", SoftmaxParams{}, {{2, 3, 5, channels}}, 300});
    expect_case({"argmax", ArgmaxParams{}, {{2, 3, 5, channels}}});
    expect_case({"argmax of ties", ArgmaxParams{}, {{2, 3, 5, channels}}}, true);
    expect_case({"lrn", LrnParams{5, 0.5F, 0.75F, 2}, {{2, 3, 5, channels}}});
  }
  expect_case({"spatial mean", ReduceMeanParams{true}, {{2, 7, 5, 33}}});
  expect_case({"channel mean", ReduceMeanParams{false}, {{2, 7, 5, 33}}});
}

}  // namespace
}  // namespace atrous
