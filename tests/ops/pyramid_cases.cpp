// SPDX-License-Identifier: Apache-2.0
// Pyramids of atrous convolutions, for backends that have them.
#include <gtest/gtest.h>

#include "support/run_case.h"

namespace atrous {
namespace {

Conv2dParams branch(int oc, int k, int rate) {
  Conv2dParams p;
  p.oc = oc, p.kh = p.kw = k, p.dh = p.dw = rate, p.has_bias = true;
  const int pad = rate * (k - 1) / 2;
  p.padding = {false, pad, pad, pad, pad};
  return p;
}

PyramidParams aspp(int oc, std::initializer_list<int> rates) {
  PyramidParams p;
  p.branches.push_back(branch(oc, 1, 1));
  for (int rate : rates) p.branches.push_back(branch(oc, 3, rate));
  for (Conv2dParams& b : p.branches) b.activation.kind = ActivationKind::relu;
  return p;
}

TEST(Pyramid, BranchesStandOneBehindTheOther) {
  for (int channels : {8, 7, 33}) {
    test::expect_case({"aspp", aspp(16, {6, 12, 18}), {{1, 17, 19, channels}}});
    test::expect_case({"odd", aspp(5, {2, 36}), {{2, 9, 7, channels}}});
  }
  PyramidParams mixed;
  for (int oc : {3, 40, 8}) mixed.branches.push_back(branch(oc, 3, oc % 5 + 1));
  mixed.branches[1].has_bias = false;
  test::expect_case({"mixed widths", mixed, {{1, 12, 13, 16}}});
}

TEST(Pyramid, ImagePoolingIsABranch) {
  for (int channels : {8, 7})
    for (int pooled : {0, 2, 3}) {
      PyramidParams p = aspp(24, {6, 12});
      p.branches.insert(p.branches.begin() + pooled, branch(pooled == 2 ? 40 : 5, 1, 1));
      p.branches[static_cast<std::size_t>(pooled)].activation.kind = ActivationKind::hardswish;
      p.pooled = pooled;
      test::expect_case({"pooled", p, {{2, 11, 13, channels}}});
    }
  PyramidParams slices{{branch(9, 1, 1), branch(8, 1, 1)}, false, 1};  // the mean is of several slices
  slices.branches[1].has_bias = false;
  test::expect_case({"pooled over a large map", slices, {{1, 47, 45, 8}}});
}

TEST(Pyramid, SumsOfBranches) {
  for (int rate : {1, 6}) {
    PyramidParams p;
    p.sum = true;
    for (int i = 1; i <= 4; ++i) p.branches.push_back(branch(21, 3, rate * i));
    test::expect_case({"sum", p, {{1, 15, 14, 24}}});
    p.branches.back().activation.kind = ActivationKind::relu;
    p.branches.front().has_bias = false;
    test::expect_case({"sum, then relu", p, {{2, 8, 9, 5}}});
  }
}

TEST(Pyramid, MoreBranchesThanOneLaunchTakes) {
  test::expect_case({"six", aspp(8, {2, 6, 12, 18, 24}), {{1, 19, 13, 8}}});
  PyramidParams sum;
  sum.sum = true;
  for (int i = 1; i <= 6; ++i) sum.branches.push_back(branch(7, 3, i));
  sum.branches.back().activation.kind = ActivationKind::tanh;
  test::expect_case({"six summed, then tanh", sum, {{1, 12, 9, 8}}});
}

}  // namespace
}  // namespace atrous
