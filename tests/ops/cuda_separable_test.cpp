// SPDX-License-Identifier: Apache-2.0
// What the fused separable convolution has of its own: tiles, sharers, limits, skipped taps.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "backend/cuda/conv2d_packing.h"
#include "backend/cuda/cuda_backend.h"
#include "kernels/separable.h"
#include "ops/conv2d.h"
#include "ops/early_skip.h"
#include "ops/gemm_case.h"
#include "ops/schema.h"
#include "support/tolerance.h"

namespace atrous::test {
namespace {

using cuda::SeparablePlan;
using cuda::SeparableProblem;

constexpr DType kTypes[] = {DType::f16, DType::bf16};
constexpr std::size_t kPlenty = std::size_t{227} << 10U;

/// k x k at a rate and stride, then `oc` channels; both with bias and an activation.
SeparableParams separable(int ic, int oc, int k, int stride, int rate) {
  SeparableParams p{conv(ic, k, stride, rate), conv(oc, 1)};
  p.depthwise.groups = ic;
  p.depthwise.has_bias = p.pointwise.has_bias = true;
  p.depthwise.activation.kind = ActivationKind::relu6;
  p.pointwise.activation.kind = ActivationKind::hardswish;
  return p;
}

/// A separable convolution on the device with random values, and what it must compute.
class SeparableRun {
 public:
  SeparableRun(SeparableParams params, const Shape& in, DType dtype)
      : params_(std::move(params)),
        dtype_(dtype),
        backend_(make_cuda_backend(0)),
        stream_(backend_->make_stream()),
        values_(make_problem({"", params_, {in}}, precision_of(dtype, ""), false)),
        in_(*backend_, *stream_, in, dtype, kDense, 0) {
    in_.upload(values_.inputs[0]);
    for (const Constant& constant : values_.constants) constants_.push_back(constant.read_f32());
  }

  SeparableProblem problem() const {
    return {in_.desc(),
            TensorDesc::dense(values_.expected.shape, dtype_),
            {},
            params_.depthwise,
            params_.pointwise};
  }
  /// Replaces a tap's weights by NaN.
  void poison_tap(std::size_t tap) {
    const auto taps = static_cast<std::size_t>(params_.depthwise.kh * params_.depthwise.kw);
    for (std::size_t i = tap; i < constants_[0].size(); i += taps)
      constants_[0][i] = std::numeric_limits<float>::quiet_NaN();
  }

  using Launch = std::function<void(const cuda::SeparableAddresses&, cuda::StreamHandle)>;
  std::vector<double> output(const Launch& launch) {
    auto weight = [&](std::size_t i, const Conv2dParams& p, auto pack) {
      return to_device(pack(
          ConvWeights{constants_[i], static_cast<std::size_t>(p.oc), static_cast<std::size_t>(p.kh * p.kw)},
          dtype_));
    };
    auto bias = [&](std::size_t i) { return to_device(std::as_bytes(std::span(constants_[i]))); };
    const auto weight_1 = weight(0, params_.depthwise, pack_tap_major), bias_1 = bias(1),
               weight_2 = weight(2, params_.pointwise, pack_channel_major), bias_2 = bias(3);
    auto floats = [](DeviceMemory& memory) { return reinterpret_cast<const float*>(memory.data()); };
    DeviceTensor out(*backend_, *stream_, values_.expected.shape, dtype_, kDense, 64);
    launch({in_.data(), weight_1->data(), floats(*bias_1), weight_2->data(), floats(*bias_2), nullptr,
            out.data()},
           stream_of({{}, nullptr, nullptr, stream_.get()}));
    out.download();
    EXPECT_TRUE(out.surroundings_intact()) << "wrote outside its output";
    std::vector<double> result;
    for (std::int64_t pixel = 0; pixel < out.desc().shape.pixels(); ++pixel)
      for (std::int64_t c = 0; c < out.desc().shape.c; ++c) result.push_back(out.at(pixel, c));
    return result;
  }
  std::vector<double> by_plan(const SeparablePlan& plan) {
    return output([&](const auto& at, auto stream) { run_separable(plan, at, stream); });
  }
  /// Largest difference from the reference; infinite for NaN.
  double error(const std::vector<double>& got) const {
    double worst = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      const double difference = std::abs(got[i] - values_.expected.values[i]);
      worst = std::max(worst, std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference);
    }
    return worst;
  }
  double allowed() const {
    return tolerance(params_, dtype_, values_.terms, values_.largest, values_.largest);
  }

 private:
  std::unique_ptr<DeviceMemory> to_device(std::span<const std::byte> bytes) {
    std::unique_ptr<DeviceMemory> memory = backend_->allocate(bytes.size());
    stream_->upload(memory->data(), bytes.data(), bytes.size());
    return memory;
  }

  SeparableParams params_;
  DType dtype_;
  std::shared_ptr<const Backend> backend_;
  std::unique_ptr<Stream> stream_;
  Problem values_;
  DeviceTensor in_;
  std::vector<std::vector<float>> constants_;
};

TEST(FusedSeparable, NeitherTileNorSharersChangeTheResult) {
  for (DType dtype : kTypes)
    for (int ic : {40, 33}) {
      SeparableRun run(separable(ic, 200, 3, 1, 2), {2, 11, 13, ic}, dtype);
      const std::vector<double> first = run.by_plan(plan_separable(run.problem(), 4, kPlenty));
      EXPECT_LE(run.error(first), run.allowed());
      for (int variant = 0; variant < cuda::separable_variants().count; ++variant)
        for (int sharers : {1, 2, 3}) {
          SeparablePlan plan = plan_separable_variant(run.problem(), variant, sharers);
          EXPECT_EQ(run.by_plan(plan), first) << plan.describe();
          plan.tile_h = 3, plan.tile_w = 5;  // rows of the tile without a pixel
          EXPECT_EQ(run.by_plan(plan), first) << plan.describe();
        }
    }
}

/// Weights of a tap are NaN: a pixel's sum is a number if and only if its tile does not read the tap.
TEST(FusedSeparable, ATileNeverReadsATapInThePadding) {
  static constexpr int kSize = 21, kTile = 4, kRate = 12;
  for (std::size_t tap = 0; tap < 9; ++tap) {
    SeparableParams params = separable(8, 8, 3, 1, kRate);
    params.depthwise.activation = params.pointwise.activation = {};
    SeparableRun run(params, {1, kSize, kSize, 8}, DType::f16);
    run.poison_tap(tap);
    SeparablePlan plan = plan_separable_variant(run.problem(), 2, 1);
    plan.tile_h = plan.tile_w = kTile;
    const std::vector<double> got = run.by_plan(plan);
    auto touches = [](int position, int k) {
      const int begin = position / kTile * kTile, end = std::min(begin + kTile, kSize);
      for (int p = begin; p < end; ++p)
        if (p + (k - 1) * kRate >= 0 && p + (k - 1) * kRate < kSize) return true;
      return false;
    };
    auto reads = [](int position, int k) {
      return position + (k - 1) * kRate >= 0 && position + (k - 1) * kRate < kSize;
    };
    const int ky = static_cast<int>(tap) / 3, kx = static_cast<int>(tap) % 3;
    for (int y = 0; y < kSize; ++y)
      for (int x = 0; x < kSize; ++x) {
        const bool is_nan = std::isnan(got[static_cast<std::size_t>((y * kSize + x) * 8)]);
        if (reads(y, ky) && reads(x, kx)) {
          ASSERT_TRUE(is_nan) << "tap " << tap << " pixel " << y << "," << x;
        }
        if (!touches(y, ky) || !touches(x, kx)) {
          ASSERT_FALSE(is_nan) << "tap " << tap << " pixel " << y << "," << x;
        }
      }
  }
}

TEST(FusedSeparable, ATapSkippedTooEarlyIsNoticed) {
  // One element too early shows where a tile's last pixel is the only one that a tap serves: 16 = 2 * 8.
  SeparableRun run(separable(8, 8, 3, 1, 16), {1, 17, 17, 8}, DType::f16);
  SeparablePlan plan = plan_separable_variant(run.problem(), 1, 1);
  plan.tile_h = plan.tile_w = 8;
  auto by = [&](int early) {
    return run.output(
        [&](const auto& at, auto stream) { run_separable_with_early_skip(plan, at, early, stream); });
  };
  EXPECT_LE(run.error(by(0)), run.allowed());
  EXPECT_GT(run.error(by(1)), 0.1);
}

SeparableProblem described(int size, int ic, int oc, int k = 3) {
  return {TensorDesc::dense({1, size, size, ic}, DType::f16),
          TensorDesc::dense({1, size, size, oc}, DType::f16),
          {},
          separable(ic, oc, k, 1, 1).depthwise,
          conv(oc, 1)};
}

TEST(FusedSeparable, PlansFitSharedMemoryAndUseEveryVariant) {
  std::set<int> variants;
  bool shared = false;
  for (int size : {9, 33, 65, 129, 257})
    for (int ic : {16, 96, 576, 960, 2048})
      for (int oc : {16, 24, 96, 160, 256, 728})
        for (std::size_t memory : {kPlenty, std::size_t{99} << 10U}) {
          const SeparableProblem problem = described(size, ic, oc);
          if (!refuse_separable(problem, 8, memory).empty()) continue;
          const SeparablePlan plan = plan_separable(problem, 132, memory);
          EXPECT_LE(plan.shared_bytes(), memory) << plan.describe();
          EXPECT_LE(plan.tile_h * plan.tile_w, cuda::separable_variants().data[plan.variant].pixels);
          variants.insert(plan.variant);
          shared |= plan.sharers > 1;
        }
  EXPECT_EQ(static_cast<int>(variants.size()), cuda::separable_variants().count);
  EXPECT_TRUE(shared);
}

TEST(FusedSeparable, Refusals) {
  EXPECT_EQ(refuse_separable(described(9, 16, 8), 8, kPlenty), "");
  EXPECT_NE(refuse_separable(described(9, 16, 8), 7, kPlenty), "");
  EXPECT_NE(refuse_separable(described(9, 4000, 8), 8, kPlenty), "");
  EXPECT_NE(refuse_separable(described(1 << 15, 16, 8), 8, kPlenty), "");
  SeparableProblem wider = described(9, 16, 8);
  wider.depthwise.oc = 32;
  EXPECT_NE(refuse_separable(wider, 8, kPlenty), "");
}

}  // namespace
}  // namespace atrous::test
