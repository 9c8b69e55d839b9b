// SPDX-License-Identifier: Apache-2.0
// Convolutions by Winograd's forms: phases of rates, tiles that hang over, several chunks and panels.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "backend/cpu/conv2d_winograd.h"
#include "backend/cpu/gemm_tile.h"
#include "backend/cpu/winograd_tiles.h"
#include "ops/schema.h"
#include "support/problem.h"
#include "support/run_case.h"

namespace atrous {
namespace {

constexpr Winograd kTiles4{4}, kTiles3{3}, kWhole3{3, true}, kWhole2{2, true};

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

std::string refusal(const Conv2dParams& p, const Shape& in, Winograd winograd) {
  const std::vector<TensorDesc> inputs{TensorDesc::dense(in, DType::f32)};
  const OpParams params = p;
  return refuse_winograd(winograd,
                         {"conv", params, inputs, TensorDesc::dense(output_shape(p, in), DType::f32), {}});
}

/// What a form makes of a convolution, whether it would take it or not, in channel slices of wider tensors.
struct Run {
  std::vector<float> out;  ///< dense
  double error = 0;        ///< the largest, as a share of the largest output
};
Run run(Winograd winograd, const Conv2dParams& p, const Shape& shape, int threads, WeightCache& cache) {
  const OpParams params = p;
  const test::Problem problem =
      test::make_problem({"run", params, {shape}}, test::Precision::f32, false, false);
  const Shape& made = problem.expected.shape;
  const std::int64_t gap = 3;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> in(static_cast<std::size_t>(shape.pixels() * (shape.c + gap)), nan),
      out(static_cast<std::size_t>(made.pixels() * (made.c + gap)), nan);
  for (std::int64_t i = 0; i < shape.elements(); ++i)
    in[static_cast<std::size_t>(i + i / shape.c * gap)] =
        static_cast<float>(problem.inputs[0].values[static_cast<std::size_t>(i)]);
  std::vector<TensorDesc> descs{TensorDesc::dense(shape, DType::f32)};
  TensorDesc to = TensorDesc::dense(made, DType::f32);
  descs[0].pitch += gap, to.pitch += gap;
  PrepareContext context{cache, threads};
  const std::unique_ptr<Kernel> kernel =
      prepare_winograd(winograd, {"run", params, descs, to, problem.constants}, context);
  const std::unique_ptr<DeviceMemory> workspace = allocate_host(kernel->workspace_bytes());
  std::memset(workspace->data(), 0xff, kernel->workspace_bytes());  // not a number
  const void* address = in.data();
  kernel->run({{&address, 1}, out.data(), workspace->data(), nullptr});
  Run result;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto channel = static_cast<std::int64_t>(i) % (made.c + gap);
    if (channel >= made.c) {
      EXPECT_TRUE(std::isnan(out[i])) << "written behind the channels at " << i;
      continue;
    }
    const double error = std::abs(out[i] - problem.expected.values[result.out.size()]) / problem.largest;
    result.error = std::isnan(error) ? HUGE_VAL : std::max(result.error, error);
    result.out.push_back(out[i]);
  }
  return result;
}

/// By one, three and seven workers, with equal bits.
double error_of(Winograd winograd, const Conv2dParams& p, const Shape& shape) {
  WeightCache cache;
  const Run one = run(winograd, p, shape, 1, cache);
  for (int threads : {3, 7}) EXPECT_EQ(run(winograd, p, shape, threads, cache).out, one.out) << threads;
  return one.error;
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
    for (Winograd winograd : kWinogradForms) takers += refusal(p, in, winograd).empty() ? 1 : 0;
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
  for (Winograd winograd : {kTiles4, kTiles3}) {
    for (int rate : {1, 2, 3, 4})
      for (std::int64_t extra : {0, 1, 3})
        for (int width : {8, 9})
          EXPECT_LT(error_of(winograd, conv(48, rate), {1, width / 2 * rate + extra, width * rate, 32}), 5e-6)
              << rate << ", " << extra << ", " << width;
    Conv2dParams uneven = conv(48, 2);
    uneven.dw = 1, uneven.padding = {false, 3, 0, 0, 2};
    EXPECT_LT(error_of(winograd, uneven, {1, 14, 17, 80}), 5e-6);
    EXPECT_LT(error_of(winograd, conv(32, 5), {2, 3, 7, 16}), 5e-6) << "fewer rows than the rate";
  }
  for (int rate : {1, 2, 4}) expect("rate " + std::to_string(rate), conv(96, rate), {1, 33, 35, 96});
}

/// Phases that padding surrounds, and not.
TEST_F(WinogradConvolution, WholePhases) {
  expect("three", conv(128, 12), {1, 35, 36, 128}, kWhole3);
  expect("two", conv(192, 20), {1, 39, 40, 192}, kWhole2);
  Conv2dParams p = conv(128, 18);
  p.has_bias = p.has_residual = true;
  p.activation = {ActivationKind::hardswish, 0, 0};
  expect("what follows the sum", p, {1, 36, 35, 128}, kWhole2);
  p.dw = 12, p.padding = {false, 18, 12, 18, 12};
  expect("rates that differ", p, {1, 36, 36, 128}, kWhole3);

  for (std::int64_t height : {1, 5, 7, 11, 17, 18})
    for (std::int64_t width : {1, 6, 16, 18})
      EXPECT_LT(error_of(kWhole3, conv(48, 6), {2, height, width, 32}), 2e-6) << height << "x" << width;
  p = conv(256, 9);
  EXPECT_EQ(refusal(p, {1, 18, 18, 256}, kWhole2), "");
  EXPECT_NE(refusal(p, {1, 19, 18, 256}, kWhole2), "");
  EXPECT_NE(refusal(p, {1, 18, 28, 256}, kWhole3), "");
  for (const Padding& padding :
       {Padding{false, 8, 9, 10, 9}, Padding{false, 9, 8, 9, 10}, Padding{false, 9, 9, 8, 9},
        Padding{false, 9, 9, 9, 8}, Padding{false, 8, 8, 8, 8}}) {
    p.padding = padding;
    EXPECT_NE(refusal(p, {1, 18, 18, 256}, kWhole2), "")
        << padding.top << " " << padding.left << " " << padding.bottom << " " << padding.right;
  }
}

/// Tiles of one row or column, for which products are left out, among others, in one strip and over chunks.
TEST_F(WinogradConvolution, PhasesOfOnePixel) {
  for (std::int64_t height : {7, 8, 9, 15, 21, 28})
    for (std::int64_t width : {1, 14, 15, 16, 27})
      EXPECT_LT(error_of(kWhole2, conv(48, 14), {2, height, width, 32}), 2e-6) << height << "x" << width;
}

/// Plans of one network share its weights, whatever form each has them in.
TEST_F(WinogradConvolution, FormsShareACache) {
  WeightCache cache;
  for (Winograd winograd : {kTiles3, kWhole3, kTiles4, kWhole2, kTiles3})
    EXPECT_LT(run(winograd, conv(32, 8), {1, 16, 16, 16}, 1, cache).error, 5e-6) << winograd.products();
}

TEST_F(WinogradConvolution, TilesCoverEachOutputOnce) {
  for (Winograd winograd : kWinogradForms)
    for (std::int64_t height : {1, 5, 8, 13})
      for (std::int64_t width : {3, 8, 12}) {
        const std::int64_t rate = 5, column_rate = 4, rows = 3;
        if (winograd.whole && (height > winograd.outputs * rate || width > winograd.outputs * column_rate))
          continue;
        const WinogradTiles tiles(winograd, {2, height, width, 16}, rate, column_rate);
        const std::vector<std::uint64_t> strips = tiles.strips(rows);
        ASSERT_EQ(std::ssize(strips), (tiles.count() + rows - 1) / rows);
        std::map<std::tuple<std::int64_t, std::int64_t, std::int64_t>, int> covered;
        for (std::int64_t tile = 0; tile < tiles.count(); ++tile) {
          const WinogradTiles::Start start = tiles.start(tile);
          std::int64_t down = 0, across = 0;
          for (std::int64_t i = 0; i < winograd.pixels(); ++i) {
            const std::int64_t y = i / winograd.outputs, x = i % winograd.outputs;
            if (start.y + y * rate >= height || start.x + x * column_rate >= width) continue;
            ++covered[{start.n, start.y + y * rate, start.x + x * column_rate}];
            down = std::max(down, y), across = std::max(across, x);
          }
          const std::uint64_t taken = strips[static_cast<std::size_t>(tile / rows)];
          for (int product = 0; product < winograd.products(); ++product) {
            const bool wanted = !winograd.spares_singles() ||
                                ((down > 0 || product / 3 == 0) && (across > 0 || product % 3 == 0));
            EXPECT_TRUE(!wanted || (taken >> product & 1) != 0) << "product " << product;
          }
        }
        EXPECT_EQ(std::ssize(covered), 2 * height * width);
        for (const auto& [pixel, times] : covered) EXPECT_EQ(times, 1);
      }
  // 65 = 36 + 29: of 36 * 36 tiles 29 * 29 take nine products
  std::int64_t products = 0;
  for (const std::uint64_t strip : WinogradTiles(kWhole2, {1, 65, 65, 16}, 36, 36).strips(1))
    products += std::popcount(strip);
  EXPECT_EQ(products, (29 * 3 + 7) * (29 * 3 + 7));
}

TEST_F(WinogradConvolution, ChunksPanelsAndBatches) {
  expect("steps of channels", conv(80), {1, 24, 24, 528});
  expect("chunks", conv(48), {1, 40, 41, 32});
  expect("images", conv(64, 2), {3, 26, 25, 64});
}

TEST_F(WinogradConvolution, WhatFollowsTheSum) {
  for (auto kind : {ActivationKind::none, ActivationKind::relu, ActivationKind::relu6, ActivationKind::clip,
                    ActivationKind::hardswish})
    for (bool residual : {false, true}) {
      Conv2dParams p = conv(64);
      p.has_bias = true, p.has_residual = residual;
      p.activation = {kind, kind == ActivationKind::clip ? -0.5F : 0.1F, 0.75F};
      expect("activation " + std::to_string(static_cast<int>(kind)), p, {1, 28, 27, 48});
    }
}

TEST_F(WinogradConvolution, TakesWhatItSpeedsUp) {
  EXPECT_EQ(refusal(conv(512, 4), {1, 65, 65, 512}, kTiles4), "");
  EXPECT_EQ(refusal(conv(64), {1, 129, 129, 64}, kTiles4), "");
  EXPECT_EQ(refusal(conv(256, 12), {1, 65, 65, 2048}, kTiles3), "");
  EXPECT_EQ(refusal(conv(256, 24), {1, 65, 65, 2048}, kWhole3), "");
  EXPECT_EQ(refusal(conv(256, 36), {1, 65, 65, 2048}, kWhole2), "");
  EXPECT_EQ(refusal(conv(256, 36), {3, 65, 65, 2048}, kWhole2), "");
}

/// Few tiles: strips of them are not full, and the weights, of which there are more, count.
TEST_F(WinogradConvolution, LeavesWhatItWouldNotSpeedUp) {
  Conv2dParams strided = conv(64);
  strided.sh = strided.sw = 2;
  for (Winograd winograd : kWinogradForms) {
    EXPECT_NE(refusal(conv(64, 1, 0), {1, 3, 3, 64}, winograd), "") << "one output";
    EXPECT_NE(refusal(conv(64, 8), {1, 8, 8, 64}, winograd), "") << "one tap";
    EXPECT_NE(refusal(conv(16), {1, 65, 65, 16}, winograd), "");
    EXPECT_NE(refusal(strided, {1, 65, 65, 64}, winograd), "");
    EXPECT_NE(refusal(conv(512), {1, 2, 2, 512}, winograd), "");
    EXPECT_NE(refusal(conv(512), {1, 7, 7, 512}, winograd), "");
    EXPECT_NE(refusal(conv(512, 2), {1, 4, 4, 512}, winograd), "");
    EXPECT_NE(refusal(conv(512, 12), {1, 16, 16, 512}, winograd), "");
  }
}

/// Points of interpolation of like size keep the rounding error near that of a direct sum.
TEST_F(WinogradConvolution, RoundsLikeADirectSum) {
  for (Winograd winograd : kWinogradForms) {
    const int rate = winograd.whole ? 16 / winograd.outputs + 1 : 1;
    // 2.7e-6, 1.6e-6, 4.5e-7 and 8.9e-7 here; 3.3e-6 where multiply-adds are not fused
    EXPECT_LT(error_of(winograd, conv(64, rate), {1, 16, 16, 256}), winograd.whole ? 2e-6 : 5e-6)
        << winograd.products();
  }
}

}  // namespace
}  // namespace atrous
