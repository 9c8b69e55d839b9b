// SPDX-License-Identifier: Apache-2.0
// What is particular to the CUDA convolutions: every tile, split sums, skipped taps. The operator's cases
// proper run in the lists that all devices share.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "ops/early_skip.h"
#include "ops/gemm_case.h"

namespace atrous::test {
namespace {

using cuda::Conv2dProblem;
using cuda::GemmMath;
using cuda::ImplicitGemmPlan;
using cuda::ImplicitGemmVariant;

struct Arithmetic {
  Precision precision;
  GemmMath math;
  const char* name;
};
constexpr Arithmetic kAll[] = {{Precision::f16, GemmMath::tensor_core, "f16"},
                               {Precision::bf16, GemmMath::tensor_core, "bf16"},
                               {Precision::tf32, GemmMath::tensor_core, "tf32"},
                               {Precision::f32, GemmMath::fma, "f32"},
                               {Precision::f16, GemmMath::warpgroup, "f16 by warpgroups"},
                               {Precision::bf16, GemmMath::warpgroup, "bf16 by warpgroups"}};

/// Tests of host code need no device, but a device is what this program is for.
class Device : public testing::Environment {
  void SetUp() override {
    std::string why;
    if (cuda::device_count(&why) == 0) GTEST_SKIP() << "no CUDA device: " << why;
  }
};
const testing::Environment* const kDevice = testing::AddGlobalTestEnvironment(new Device);

/// Whether the device's kernels take the problem. All but those of warpgroups must.
bool takes(const Conv2dProblem& problem, const Arithmetic& a) {
  const std::string why = refuse_conv2d_implicit_gemm(problem, a.math, cuda::current_device_info().major);
  if (a.math != GemmMath::warpgroup) {
    EXPECT_EQ(why, "") << a.name;
  }
  return why.empty();
}

/// Every variant that can run the problem, with this many splits.
std::vector<ImplicitGemmPlan> all_plans(const Conv2dProblem& problem, GemmMath math, int splits) {
  std::vector<ImplicitGemmPlan> plans;
  const cuda::ImplicitGemmVariants variants = cuda::implicit_gemm_variants(math);
  for (int i = 0; i < variants.count; ++i)
    if (variants.data[i].gather || !needs_gather(problem))
      plans.push_back(plan_implicit_gemm_variant(problem, math, i, splits));
  return plans;
}

void expect_all_plans(const GemmCase& test_case, const Arithmetic& a, std::initializer_list<int> splits) {
  GemmCase typed = test_case;
  typed.precision = a.precision;
  GemmRun run(typed);
  if (!takes(run.problem(), a)) return;
  for (int s : splits)
    for (const ImplicitGemmPlan& plan : all_plans(run.problem(), a.math, s))
      run.expect_right(run.by_plan(plan), std::string(a.name) + " " + plan.describe());
}

GemmCase fused(int ic, int oc, Placement placement) {
  GemmCase c{conv(oc, 3, 1, 2), {2, 9, 11, ic}};
  c.params.has_bias = c.params.has_residual = true;
  c.params.activation = {ActivationKind::leaky_relu, 0.25F, 0};
  c.placement = placement;
  return c;
}

TEST(ImplicitGemm, EveryTileAndSplitOnAlignedTensors) {
  for (const Arithmetic& a : kAll) {
    expect_all_plans(fused(24, 37, kDense), a, {1, 3});
    expect_all_plans(fused(40, 136, kAlignedSlice), a, {1});
  }
}

TEST(ImplicitGemm, EveryTileOnOddChannelsAndSlices) {
  for (const Arithmetic& a : kAll) {
    expect_all_plans(fused(3, 5, kDense), a, {1, 2});
    expect_all_plans(fused(17, 33, kOddSlice), a, {1});
    expect_all_plans(fused(24, 70, kOddSlice), a, {1});
  }
}

class Rates : public testing::TestWithParam<int> {};
TEST_P(Rates, EveryChannelCount) {
  for (int channels : {1, 7, 8, 16, 17, 33, 64})
    for (const Arithmetic& a : kAll) {
      GemmRun run({conv(channels + 2, 3, 1, GetParam()), {1, 19, 13, channels}, a.precision});
      if (!takes(run.problem(), a)) continue;
      const ImplicitGemmPlan plan = plan_implicit_gemm(run.problem(), a.math, 4);
      run.expect_right(run.by_plan(plan), std::string(a.name) + " " + plan.describe());
    }
}
INSTANTIATE_TEST_SUITE_P(Dilations, Rates, testing::Values(1, 2, 4, 6, 12, 18, 24, 36));

TEST(ImplicitGemm, WindowsStridesAndPaddings) {
  for (const Arithmetic& a : kAll)
    for (int ic : {3, 16}) {
      GemmCase stem{conv(9, 7, 2), {2, 21, 18, ic}};
      expect_all_plans(stem, a, {1});
      GemmCase odd{conv(10, 3, 3), {2, 10, 12, ic}};
      odd.params.kw = 2, odd.params.dw = 3, odd.params.padding = {false, 0, 5, 4, 1};
      expect_all_plans(odd, a, {1, 2});
      GemmCase padded{conv(6, 1), {1, 3, 2, ic}};
      padded.params.padding = {false, 7, 9, 8, 10};
      expect_all_plans(padded, a, {1});
    }
}

TEST(ImplicitGemm, PixelsOfAllImagesInOneRow) {
  for (const Arithmetic& a : kAll)
    for (int ic : {16, 7}) {
      expect_all_plans({conv(11, 1), {3, 5, 7, ic}, Precision::f16, kAlignedSlice}, a, {1, 2});
      GemmCase whole{conv(11, 3), {4, 3, 5, ic}};
      whole.params.kw = 5, whole.params.padding = {};
      expect_all_plans(whole, a, {1, 2});
      whole.placement = kAlignedSlice;  // not one dense row any more
      expect_all_plans(whole, a, {1});
    }
}

TEST(ImplicitGemm, EveryActivation) {
  for (int kind = 0; kind <= static_cast<int>(ActivationKind::clip); ++kind) {
    GemmCase c = fused(8, 12, kAlignedSlice);
    c.params.activation = {static_cast<ActivationKind>(kind), -0.5F, 0.75F};
    GemmRun run(c);
    for (int splits : {1, 2})
      run.expect_right(
          run.by_plan(plan_implicit_gemm_variant(run.problem(), GemmMath::tensor_core, 2, splits)),
          "activation " + std::to_string(kind));
  }
}

TEST(ImplicitGemm, SmallIntegersAreExact) {
  for (const Arithmetic& a : kAll)
    for (int ic : {16, 9})
      expect_all_plans({conv(19, 3, 1, 3), {1, 12, 13, ic}, Precision::f16, kDense, true}, a, {1, 3});
}

TEST(ImplicitGemm, SplitSumsRepeatBitByBitAndDoNotDependOnTheBatch) {
  GemmRun batch({conv(20, 3, 1, 6), {3, 7, 7, 512}});
  const ImplicitGemmPlan plan = plan_implicit_gemm(batch.problem(), GemmMath::tensor_core, 64);
  ASSERT_GT(plan.splits, 1) << "a problem for which no sum is split proves nothing";
  const std::vector<double> all = batch.by_plan(plan);
  EXPECT_EQ(all, batch.by_plan(plan));
  Conv2dProblem one = batch.problem();
  one.in.shape.n = one.out.shape.n = one.residual.shape.n = 1;
  const std::vector<double> first = batch.by_plan(plan_implicit_gemm(one, GemmMath::tensor_core, 64));
  for (std::size_t i = 0; i < first.size() / 3; ++i) ASSERT_EQ(all[i], first[i]) << i;
}

TEST(ImplicitGemm, TheTileDoesNotChangeTheResult) {
  for (const Arithmetic& a : kAll) {
    GemmRun run({conv(40, 3, 1, 4), {1, 13, 11, 24}, a.precision});
    if (!takes(run.problem(), a)) continue;
    const std::vector<ImplicitGemmPlan> plans = all_plans(run.problem(), a.math, 1);
    const std::vector<double> first = run.by_plan(plans.front());
    for (const ImplicitGemmPlan& plan : plans) {
      const bool gather = cuda::implicit_gemm_variants(a.math).data[plan.variant].gather;
      if (!gather) {
        EXPECT_EQ(run.by_plan(plan), first) << plan.describe();
      }
    }
  }
}

/// Weights of a tap are NaN: a pixel's sum is a number if and only if its tile neither loads nor multiplies
/// the tap.
TEST(TapSkipping, ATileNeverMultipliesATapInThePadding) {
  static constexpr int kSize = 33, kTile = 8, kRate = 18;
  for (int ky = 0; ky < 3; ++ky)
    for (int kx = 0; kx < 3; ++kx) {
      GemmRun run({conv(8, 3, 1, kRate), {1, kSize, kSize, 8}});
      run.poison_tap(ky, kx);
      const ImplicitGemmPlan plan = early_skip_plan(run.problem(), kTile, kTile);
      const std::vector<double> got =
          run.output([&](const auto& at, auto stream) { run_with_early_skip(plan, at, 0, stream); });
      auto touches = [](int position, int tap) {
        const int begin = position / kTile * kTile, end = std::min(begin + kTile, kSize);
        for (int p = begin; p < end; ++p)
          if (p + (tap - 1) * kRate >= 0 && p + (tap - 1) * kRate < kSize) return true;
        return false;
      };
      for (int y = 0; y < kSize; ++y)
        for (int x = 0; x < kSize; ++x)
          ASSERT_EQ(std::isnan(got[static_cast<std::size_t>((y * kSize + x) * 8)]),
                    touches(y, ky) && touches(x, kx))
              << "tap " << ky << "," << kx << " pixel " << y << "," << x;
    }
}

TEST(TapSkipping, EveryVariantSkips) {
  for (const Arithmetic& a : kAll)
    for (int ic : {16, 33}) {  // rate 36 on a small map: only the middle tap touches it
      GemmRun run({conv(8, 3, 1, 36), {1, 9, 9, ic}, a.precision});
      if (!takes(run.problem(), a)) continue;
      const bool gather = needs_gather(run.problem());
      for (int tap = 0; tap < 9;
           ++tap)  // a gathered step may hold the end or the beginning of a neighbouring tap
        if (tap != 4 && !(gather && tap / 3 == 1)) run.poison_tap(tap / 3, tap % 3);
      for (const ImplicitGemmPlan& plan : all_plans(run.problem(), a.math, 2))
        if (cuda::implicit_gemm_variants(a.math).data[plan.variant].gather == gather)
          run.expect_right(run.by_plan(plan), std::string(a.name) + " " + plan.describe());
    }
}

TEST(TapSkipping, ATapSkippedTooEarlyIsNoticed) {
  GemmRun run({conv(8, 3, 1, 18), {1, 33, 33, 8}});
  const ImplicitGemmPlan plan = early_skip_plan(run.problem(), 8, 8);
  auto by = [&](int early) {
    return run.output([&](const auto& at, auto stream) { run_with_early_skip(plan, at, early, stream); });
  };
  run.expect_right(by(0), "no fault");
  EXPECT_GT(run.error(by(8)), 0.1) << "one tile too early";
  // One element too early shows where a tile's last pixel is the only one that a tap serves: 18 = 2 * 8 + 2.
  GemmRun edge({conv(8, 3, 1, 16), {1, 17, 17, 8}});
  const ImplicitGemmPlan edge_plan = early_skip_plan(edge.problem(), 8, 8);
  EXPECT_GT(edge.error(edge.output(
                [&](const auto& at, auto stream) { run_with_early_skip(edge_plan, at, 1, stream); })),
            0.1)
      << "one element too early";
}

TEST(Plan, ChoosesEveryVariantForSomeProblem) {
  auto problem = [](int size, int ic, int oc, int k, const Arithmetic& a) {
    const DType dtype = a.precision == Precision::f16    ? DType::f16
                        : a.precision == Precision::bf16 ? DType::bf16
                                                         : DType::f32;
    const Shape in{1, size, size, ic}, out{1, size, size, oc};
    return Conv2dProblem{TensorDesc::dense(in, dtype), TensorDesc::dense(out, dtype), {}, conv(oc, k)};
  };
  for (const Arithmetic& a : kAll) {
    if (!takes(problem(33, 64, 64, 3, a), a)) continue;
    std::set<int> chosen;
    for (int size : {9, 33, 65, 129, 257})
      for (int ic : {3, 64, 256, 1024})
        for (int oc : {21, 32, 64, 256, 1024})
          for (int k : {1, 3})
            if (ic % 8 == 0 || a.math != GemmMath::warpgroup)
              chosen.insert(plan_implicit_gemm(problem(size, ic, oc, k, a), a.math, 132).variant);
    EXPECT_EQ(static_cast<int>(chosen.size()), cuda::implicit_gemm_variants(a.math).count)
        << std::string(a.name);
  }
}

TEST(Plan, RectanglesFitTheMapAndSkipTaps) {
  const Shape map{1, 33, 33, 2048};
  const TensorDesc in = TensorDesc::dense(map, DType::f16),
                   out = TensorDesc::dense({1, 33, 33, 256}, DType::f16);
  const ImplicitGemmPlan plan =
      plan_implicit_gemm({in, out, {}, conv(256, 3, 1, 18)}, GemmMath::tensor_core, 132);
  const ImplicitGemmVariant& v = cuda::implicit_gemm_variants(GemmMath::tensor_core).data[plan.variant];
  EXPECT_LE(plan.tile_h * plan.tile_w, v.pixels);
  EXPECT_NEAR(plan.skipped_taps(), 0.58, 0.03) << plan.describe();
}

TEST(Plan, Refusals) {
  Conv2dProblem problem{TensorDesc::dense({1, 9, 9, 16}, DType::f16),
                        TensorDesc::dense({1, 9, 9, 16}, DType::f16),
                        {},
                        conv(16, 3)};
  EXPECT_EQ(refuse_conv2d_implicit_gemm(problem, GemmMath::tensor_core, 8), "");
  EXPECT_NE(refuse_conv2d_implicit_gemm(problem, GemmMath::tensor_core, 7), "");
  EXPECT_NE(refuse_conv2d_implicit_gemm(problem, GemmMath::fma, 8), "");
  Conv2dProblem grouped = problem;
  grouped.params.groups = 2;
  EXPECT_NE(refuse_conv2d_implicit_gemm(grouped, GemmMath::tensor_core, 8), "");
  Conv2dProblem huge = problem;
  huge.in.shape.h = huge.in.shape.w = 1 << 15;
  EXPECT_NE(refuse_conv2d_implicit_gemm(huge, GemmMath::tensor_core, 8), "");
}

}  // namespace
}  // namespace atrous::test
