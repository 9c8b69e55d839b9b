// SPDX-License-Identifier: Apache-2.0
// Convolutions that Winograd's form takes: phases of rates, tiles that hang over, several chunks and panels.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "backend/cpu/conv2d_winograd.h"
#include "backend/cpu/gemm_tile.h"
#include "ops/schema.h"
#include "support/problem.h"
#include "support/run_case.h"

namespace atrous {
namespace {

constexpr Winograd kForms[] = {{4}, {3}, {3, true}, {2, true}};

Conv2dParams conv(int oc, int rate = 1, int padding = -1) {
  Conv2dParams p;
  p.oc = oc, p.kh = p.kw = 3, p.dh = p.dw = rate;
  const int pad = padding < 0 ? rate : padding;
  p.padding = {false, pad, pad, pad, pad};
  return p;
}

Shape output_shape(Conv2dParams p, const Shape& in) {
  p.has_residual = false;
  return schema_of(OpKind::conv2d).infer_shape(p, std::vector<Shape>{in});
}

std::string refusal(const Conv2dParams& p, const Shape& in, Winograd winograd = {4}) {
  const std::vector<TensorDesc> inputs{TensorDesc::dense(in, DType::f32)};
  const OpParams params = p;
  return refuse_winograd(winograd,
                         {"conv", params, inputs, TensorDesc::dense(output_shape(p, in), DType::f32), {}});
}

/// The largest error of a form, whether it would take the convolution or not, as a share of the largest
/// output.
double error_of(Winograd winograd, const Conv2dParams& p, const Shape& shape, int threads) {
  const OpParams params = p;
  const test::Problem problem =
      test::make_problem({"error", params, {shape}}, test::Precision::f32, false, false);
  std::vector<float> in(problem.inputs[0].values.begin(), problem.inputs[0].values.end()),
      out(static_cast<std::size_t>(problem.expected.shape.elements()));
  const std::vector<TensorDesc> descs{TensorDesc::dense(shape, DType::f32)};
  WeightCache cache;
  PrepareContext context{cache, threads};
  const std::unique_ptr<Kernel> kernel = prepare_winograd(
      winograd,
      {"error", params, descs, TensorDesc::dense(problem.expected.shape, DType::f32), problem.constants},
      context);
  const std::unique_ptr<DeviceMemory> workspace = allocate_host(kernel->workspace_bytes());
  std::memset(workspace->data(), 0xff, kernel->workspace_bytes());  // not a number
  const void* address = in.data();
  kernel->run({{&address, 1}, out.data(), workspace->data(), nullptr});
  double worst = 0;
  for (std::size_t i = 0; i < out.size(); ++i)
    worst = std::fmax(worst, std::isnan(out[i])
                                 ? HUGE_VAL
                                 : std::abs(static_cast<double>(out[i]) - problem.expected.values[i]));
  return worst / problem.largest;
}

class WinogradConvolution : public testing::Test {
 protected:
  void SetUp() override {
    if (gemm_tile_size().columns == 0) GTEST_SKIP() << "this processor has no AVX2";
  }
  /// One form must take it: `form`, where there is one.
  static void expect(const std::string& name, const Conv2dParams& p, const Shape& in,
                     std::optional<Winograd> form = {}) {
    int takers = 0;
    for (Winograd winograd : kForms) takers += refusal(p, in, winograd).empty() ? 1 : 0;
    ASSERT_EQ(takers, 1) << name;
    if (form) {
      ASSERT_EQ(refusal(p, in, *form), "") << name;
    }
    std::vector<Shape> inputs{in};
    if (p.has_residual) inputs.push_back(output_shape(p, in));
    test::expect_case({name, p, inputs});
  }
};

TEST_F(WinogradConvolution, RatesAndTilesThatHangOver) {
  for (int rate : {1, 2, 3, 4})
    for (std::int64_t extra : {0, 1, 3})
      for (int width : {8, 9})
        expect("rate " + std::to_string(rate), conv(64, rate),
               {1, width / 2 * rate + extra, width * rate, 64});
  for (int rate : {2, 3}) expect("three", conv(64, rate), {1, 3 * rate, 6 * rate - 1, 64});
  Conv2dParams uneven = conv(48, 2);
  uneven.dw = 1, uneven.padding = {false, 3, 0, 0, 2};
  expect("rates and paddings that differ", uneven, {1, 14, 17, 80});
}

/// Phases that padding surrounds, and not.
TEST_F(WinogradConvolution, WholePhases) {
  for (std::int64_t height : {15, 17, 18})
    for (std::int64_t width : {16, 18})
      expect("three", conv(128, 6), {1, height, width, 128}, Winograd{3, true});
  for (std::int64_t height : {18, 19, 20})
    for (std::int64_t width : {17, 20})
      expect("two", conv(192, 10), {2, height, width, 192}, Winograd{2, true});
  Conv2dParams p = conv(128, 9);
  p.has_bias = p.has_residual = true;
  p.activation = {ActivationKind::hardswish, 0, 0};
  expect("what follows the sum", p, {1, 18, 17, 128}, Winograd{2, true});
  p.dw = 6, p.padding = {false, 9, 6, 9, 6};
  expect("rates that differ", p, {1, 18, 18, 128}, Winograd{3, true});
  EXPECT_NE(refusal(conv(256, 9, 8), {1, 18, 18, 256}, {2, true}), "");
  EXPECT_NE(refusal(conv(256, 9), {1, 19, 18, 256}, {2, true}), "");
  EXPECT_NE(refusal(conv(256, 9), {1, 18, 28, 256}, {3, true}), "");
}

/// Tiles of one row or column, for which products are left out, among others, in one strip and over chunks.
TEST_F(WinogradConvolution, PhasesOfOnePixel) {
  for (std::int64_t height : {7, 8, 9, 15, 21, 28})
    for (std::int64_t width : {1, 14, 15, 16, 27})
      for (int threads : {1, 3}) {
        const Shape in{2, height, width, 32};
        EXPECT_LT(error_of({2, true}, conv(48, 14), in, threads), 1e-6) << height << "x" << width;
      }
}

TEST_F(WinogradConvolution, ChunksPanelsAndBatches) {
  expect("steps of channels", conv(80), {1, 8, 8, 528});
  expect("chunks", conv(48), {1, 40, 41, 32});
  expect("images", conv(64, 2), {3, 16, 15, 64});
}

TEST_F(WinogradConvolution, WhatFollowsTheSum) {
  for (auto kind : {ActivationKind::none, ActivationKind::relu, ActivationKind::relu6, ActivationKind::clip,
                    ActivationKind::hardswish})
    for (bool residual : {false, true}) {
      Conv2dParams p = conv(64);
      p.has_bias = true, p.has_residual = residual;
      p.activation = {kind, kind == ActivationKind::clip ? -0.5F : 0.1F, 0.75F};
      expect("activation " + std::to_string(static_cast<int>(kind)), p, {1, 9, 10, 48});
    }
}

TEST_F(WinogradConvolution, LeavesWhatItWouldNotSpeedUp) {
  EXPECT_NE(refusal(conv(64, 1, 0), {1, 3, 3, 64}), "");          // one output
  EXPECT_NE(refusal(conv(64, 8), {1, 8, 8, 64}, {2, true}), "");  // one tap
  EXPECT_NE(refusal(conv(16), {1, 65, 65, 16}), "");
  EXPECT_EQ(refusal(conv(512, 4), {1, 65, 65, 512}, {4}), "");
  EXPECT_EQ(refusal(conv(256, 12), {1, 65, 65, 2048}, {3}), "");
  EXPECT_EQ(refusal(conv(256, 24), {1, 65, 65, 2048}, {3, true}), "");
  EXPECT_EQ(refusal(conv(256, 36), {1, 65, 65, 2048}, {2, true}), "");
  Conv2dParams strided = conv(64);
  strided.sh = strided.sw = 2;
  EXPECT_NE(refusal(strided, {1, 65, 65, 64}), "");
}

/// Points of interpolation of like size keep the rounding error near that of a direct sum.
TEST_F(WinogradConvolution, RoundsLikeADirectSum) {
  for (Winograd winograd : kForms) {
    const int rate = winograd.whole ? 16 / winograd.outputs + 1 : 1;
    // 2.7e-6, 1.6e-6, 4.5e-7 and 8.9e-7 here; 3.3e-6 where multiply-adds are not fused
    EXPECT_LT(error_of(winograd, conv(64, rate), {1, 16, 16, 256}, 1), winograd.whole ? 2e-6 : 5e-6)
        << winograd.products();
  }
}

}  // namespace
}  // namespace atrous
