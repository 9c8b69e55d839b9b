// SPDX-License-Identifier: Apache-2.0
// Convolutions that Winograd's form takes: phases of rates, tiles that hang over, several chunks and panels.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "backend/cpu/conv2d_winograd.h"
#include "backend/cpu/gemm_tile.h"
#include "ops/schema.h"
#include "support/problem.h"
#include "support/run_case.h"

namespace atrous {
namespace {

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

std::string refusal(const Conv2dParams& p, const Shape& in, int outputs = 4) {
  const std::vector<TensorDesc> inputs{TensorDesc::dense(in, DType::f32)};
  const OpParams params = p;
  return refuse_winograd({outputs},
                         {"conv", params, inputs, TensorDesc::dense(output_shape(p, in), DType::f32), {}});
}

class WinogradConvolution : public testing::Test {
 protected:
  void SetUp() override {
    if (gemm_tile_size().columns == 0) GTEST_SKIP() << "this processor has no AVX2";
  }
  /// One of the two forms must take it.
  static void expect(const std::string& name, const Conv2dParams& p, const Shape& in) {
    const std::string by_3 = refusal(p, in, 3), by_4 = refusal(p, in, 4);
    ASSERT_NE(by_3.empty(), by_4.empty()) << name << ": " << by_3 << ", " << by_4;
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
  EXPECT_NE(refusal(conv(64, 1, 0), {1, 3, 3, 64}), "");     // one output
  EXPECT_NE(refusal(conv(256, 36), {1, 65, 65, 2048}), "");  // phases of one or two pixels
  EXPECT_NE(refusal(conv(16), {1, 65, 65, 16}), "");
  EXPECT_EQ(refusal(conv(512, 4), {1, 65, 65, 512}, 4), "");
  EXPECT_EQ(refusal(conv(256, 24), {1, 65, 65, 2048}, 3), "");
  Conv2dParams strided = conv(64);
  strided.sh = strided.sw = 2;
  EXPECT_NE(refusal(strided, {1, 65, 65, 64}), "");
}

/// Points of interpolation of like size keep the rounding error near that of a direct sum.
TEST_F(WinogradConvolution, RoundsLikeADirectSum) {
  const std::vector<Shape> inputs{{1, 16, 16, 256}};
  const OpParams params = conv(64);
  const test::Problem problem =
      test::make_problem({"error", params, inputs}, test::Precision::f32, false, false);
  std::vector<float> in(problem.inputs[0].values.begin(), problem.inputs[0].values.end()),
      out(static_cast<std::size_t>(problem.expected.shape.elements()));
  const std::vector<TensorDesc> descs{TensorDesc::dense(inputs[0], DType::f32)};
  for (int outputs : {3, 4}) {
    WeightCache cache;
    PrepareContext context{cache, 1};
    const std::unique_ptr<Kernel> kernel = prepare_winograd(
        {outputs},
        {"error", params, descs, TensorDesc::dense(problem.expected.shape, DType::f32), problem.constants},
        context);
    const std::unique_ptr<DeviceMemory> workspace = allocate_host(kernel->workspace_bytes());
    const void* address = in.data();
    kernel->run({{&address, 1}, out.data(), workspace->data(), nullptr});
    double worst = 0;
    for (std::size_t i = 0; i < out.size(); ++i)
      worst = std::max(worst, std::abs(static_cast<double>(out[i]) - problem.expected.values[i]));
    EXPECT_LT(worst / problem.largest, 5e-6) << outputs;  // 3.3e-6 where multiply-adds are not fused
  }
}

}  // namespace
}  // namespace atrous
