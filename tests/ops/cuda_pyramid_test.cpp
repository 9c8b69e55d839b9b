// SPDX-License-Identifier: Apache-2.0
// ASPP's branches in one launch, against the reference and against the branches one by one.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <set>

#include "backend/cuda/conv2d_packing.h"
#include "backend/cuda/cuda_backend.h"
#include "kernels/pyramid.h"
#include "ops/gemm_case.h"
#include "support/elements.h"

namespace atrous::test {
namespace {

using cuda::GemmMath;
using cuda::PyramidPlan;
using cuda::PyramidProblem;

constexpr DType kTypes[] = {DType::f16, DType::bf16, DType::f32};

/// The kinds of arithmetic for a type that the device has. Warpgroups differ from one type to the other in
/// nothing but the instruction, which the convolutions' tests look at.
std::vector<GemmMath> maths_of(DType dtype) {
  if (dtype == DType::f32) return {GemmMath::fma};
  if (dtype == DType::bf16 || cuda::current_device_info().major != 9) return {GemmMath::tensor_core};
  return {GemmMath::tensor_core, GemmMath::warpgroup};
}

/// A pyramid on the device with random values, and what it must compute.
class Pyramid {
 public:
  Pyramid(const std::vector<Conv2dParams>& branches, const Shape& in, DType dtype, bool sum,
          bool integers = false, int pooled = -1)
      : dtype_(dtype),
        integers_(integers),
        backend_(make_cuda_backend(0)),
        stream_(backend_->make_stream()),
        input_(*backend_, *stream_, in, dtype, kDense, 0) {
    RefTensor values{in, {}};
    for (std::int64_t i = 0; i < in.elements(); ++i) values.values.push_back(random(-2, 2));
    input_.upload(values);
    Shape out = in;
    out.c = 0;
    for (const Conv2dParams& p : branches) out.c = sum ? p.oc : out.c + p.oc;
    std::vector<std::vector<double>> constants;
    std::vector<double> whole_bias(static_cast<std::size_t>(sum ? out.c : 0));
    for (const Conv2dParams& p : branches) {
      std::vector<double> weight, bias;
      for (std::int64_t i = 0; i < in.c * p.oc * p.kh * p.kw; ++i) weight.push_back(random(-1, 1));
      for (int i = 0; i < p.oc; ++i) bias.push_back(random(-1, 1));
      constants.insert(constants.end(), {weight, bias});
      weights_.emplace_back(weight.begin(), weight.end());
      biases_.emplace_back(bias.begin(), bias.end());
      for (std::size_t i = 0; sum && i < bias.size(); ++i) whole_bias[i] += bias[i];
      if (sum) biases_[0].assign(whole_bias.begin(), whole_bias.end());
    }
    expected_ =
        reference(PyramidParams{branches, sum, pooled}, std::vector<RefTensor>{values}, constants, out);
    problem_ = {input_.desc(), make_output().desc(), branches, sum, pooled};
  }

  const PyramidProblem& problem() const { return problem_; }
  std::vector<float>& weight(std::size_t branch) { return weights_[branch]; }

  std::vector<double> run(const PyramidPlan& plan) {
    upload_constants();
    const auto items = to_device(plan.items.data(), plan.items.size() * sizeof plan.items[0]);
    const std::vector<std::byte> unwritten(plan.workspace_bytes(), std::byte{0xff});
    const auto workspace = to_device(unwritten.data(), unwritten.size());
    DeviceTensor out = make_output();
    run_pyramid(plan, input_.data(), addresses_, reinterpret_cast<const cuda::PyramidItem*>(items->data()),
                out.data(), workspace->data(), stream_of({{}, nullptr, nullptr, stream_.get()}));
    return fetch(out);
  }

  /// The branches by the implicit GEMM, one launch each.
  std::vector<double> run_apart(GemmMath math) {
    upload_constants();
    DeviceTensor out = make_output();
    std::byte* slice = static_cast<std::byte*>(out.data());
    for (std::size_t b = 0; b < addresses_.size(); ++b) {
      const cuda::Conv2dProblem conv = pyramid_branch(problem_, static_cast<int>(b));
      const cuda::Conv2dAddresses at{input_.data(), addresses_[b].weight, addresses_[b].bias, nullptr, slice,
                                     nullptr};
      run_conv2d_implicit_gemm(plan_implicit_gemm_variant(conv, math, 1, 1), at,
                               stream_of({{}, nullptr, nullptr, stream_.get()}));
      slice += static_cast<std::size_t>(conv.params.oc) * size_of(dtype_);
    }
    return fetch(out);
  }

  void expect_right(const std::vector<double>& got, const std::string& what) const {
    double worst = 0, largest = 1;
    for (std::size_t i = 0; i < got.size(); ++i) {
      const double difference = std::abs(got[i] - expected_.values[i]);
      worst = std::max(worst, std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference);
      largest = std::max(largest, std::abs(expected_.values[i]));
    }
    const double rounding = dtype_ == DType::f16 ? 0x1p-11 : dtype_ == DType::bf16 ? 0x1p-8 : 0;
    EXPECT_LE(worst, integers_ ? 0 : largest * (rounding + 2e-5)) << what;
  }

 private:
  double random(double low, double high) {
    const double value = std::uniform_real_distribution<double>(low, high)(generator_);
    return integers_ ? std::round(value) : rounded(dtype_, value);
  }
  DeviceTensor make_output() { return {*backend_, *stream_, expected_.shape, dtype_, kAlignedSlice, 64}; }
  std::unique_ptr<DeviceMemory> to_device(const void* data, std::size_t bytes) {
    std::unique_ptr<DeviceMemory> memory = backend_->allocate(bytes);
    stream_->upload(memory->data(), data, bytes);
    return memory;
  }
  void upload_constants() {
    constants_.clear(), addresses_.clear();
    for (std::size_t b = 0; b < weights_.size(); ++b) {
      const Conv2dParams& p = problem_.branches[b];
      const std::vector<std::byte> packed = pack_channel_major(
          {weights_[b], static_cast<std::size_t>(p.oc), static_cast<std::size_t>(p.kh * p.kw)}, dtype_);
      const auto& weight = constants_.emplace_back(to_device(packed.data(), packed.size()));
      const void* weight_address = weight->data();
      const auto& bias =
          constants_.emplace_back(to_device(biases_[b].data(), biases_[b].size() * sizeof(float)));
      addresses_.push_back({weight_address, reinterpret_cast<const float*>(bias->data())});
    }
  }
  std::vector<double> fetch(DeviceTensor& out) {
    out.download();
    EXPECT_TRUE(out.surroundings_intact()) << "wrote outside its output";
    std::vector<double> values;
    for (std::int64_t pixel = 0; pixel < out.desc().shape.pixels(); ++pixel)
      for (std::int64_t c = 0; c < out.desc().shape.c; ++c) values.push_back(out.at(pixel, c));
    return values;
  }

  std::mt19937 generator_{11};
  DType dtype_;
  bool integers_;
  std::shared_ptr<const Backend> backend_;
  std::unique_ptr<Stream> stream_;
  DeviceTensor input_;
  RefTensor expected_;
  std::vector<std::vector<float>> weights_, biases_;
  PyramidProblem problem_;
  std::vector<std::unique_ptr<DeviceMemory>> constants_;
  std::vector<cuda::PyramidBranchAddresses> addresses_;
};

Conv2dParams branch(int oc, int k, int rate, ActivationKind kind = ActivationKind::none) {
  Conv2dParams p = conv(oc, k, 1, rate);
  p.has_bias = true;
  p.activation.kind = kind;
  return p;
}

const std::vector<Conv2dParams> kConcatenated = {branch(24, 1, 1, ActivationKind::relu),
                                                 branch(7, 3, 6, ActivationKind::sigmoid), branch(70, 3, 12),
                                                 branch(16, 3, 18, ActivationKind::relu), branch(9, 5, 4)};
const std::vector<Conv2dParams> kSummed = {branch(21, 3, 6), branch(21, 3, 12), branch(21, 3, 18),
                                           branch(21, 3, 24)};

/// The plan for a device of many multiprocessors and every variant with few blocks, which make tile after
/// tile.
std::vector<PyramidPlan> all_plans(const PyramidProblem& problem, GemmMath math) {
  EXPECT_EQ(refuse_pyramid(problem, math, cuda::current_device_info().major), "");
  std::vector<PyramidPlan> plans{plan_pyramid(problem, math, 64)};
  const cuda::ImplicitGemmVariants variants = cuda::pyramid_variants(math);
  for (int i = 0; i < variants.count; ++i) {
    const bool whole =
        !problem.sum || cuda::sums_in_registers(variants.data[i].pixels, variants.data[i].channels);
    for (int splits = whole ? 0 : 1; splits <= (problem.sum ? 2 : 0); ++splits)
      plans.push_back(plan_pyramid_variant(problem, math, i, splits, 1));
  }
  return plans;
}

TEST(Pyramid, BranchesWriteTheirSlicesAsTheyDoOneByOne) {
  for (DType dtype : kTypes) {
    Pyramid pyramid(kConcatenated, {2, 13, 11, 16}, dtype, false);
    for (GemmMath math : maths_of(dtype)) {
      const std::vector<double> apart = pyramid.run_apart(math);
      for (const PyramidPlan& plan : all_plans(pyramid.problem(), math)) {
        const std::vector<double> got = pyramid.run(plan);
        pyramid.expect_right(got, plan.describe());
        EXPECT_EQ(got, apart) << plan.describe();
      }
    }
  }
}

TEST(Pyramid, ThePooledBranchReachesEveryPixelInEveryTile) {
  const std::vector<Conv2dParams> branches = {branch(24, 1, 1, ActivationKind::relu),
                                              branch(70, 1, 1, ActivationKind::sigmoid), branch(9, 3, 4)};
  for (DType dtype : kTypes)
    for (const Shape& map :
         {Shape{1, 9, 7, 16}, Shape{67, 3, 2, 8}}) {  // one row of means, two tiles of them
      Pyramid pyramid(branches, map, dtype, false, false, 1);
      for (GemmMath math : maths_of(dtype))
        for (const PyramidPlan& plan : all_plans(pyramid.problem(), math))
          pyramid.expect_right(pyramid.run(plan), plan.describe());
    }
}

TEST(Pyramid, SumsItsBranches) {
  for (DType dtype : kTypes)
    for (bool integers : {false, true}) {
      Pyramid pyramid(kSummed, {1, 21, 14, 8}, dtype, true, integers);
      for (GemmMath math : maths_of(dtype))
        for (const PyramidPlan& plan : all_plans(pyramid.problem(), math))
          pyramid.expect_right(pyramid.run(plan), plan.describe());
    }
}

TEST(Pyramid, SplitSumsRepeatBitByBitAndDoNotDependOnTheBatch) {
  Pyramid pyramid({branch(21, 3, 2), branch(21, 3, 4)}, {2, 7, 7, 256}, DType::f16, true);
  const PyramidPlan plan = plan_pyramid(pyramid.problem(), GemmMath::tensor_core, 64);
  ASSERT_GT(plan.splits, 0) << "a problem for which no sum is split proves nothing";
  const std::vector<double> both = pyramid.run(plan);
  pyramid.expect_right(both, plan.describe());
  EXPECT_EQ(both, pyramid.run(plan));
  PyramidProblem one = pyramid.problem();
  one.in.shape.n = one.out.shape.n = 1;
  const std::vector<double> first = pyramid.run(plan_pyramid(one, GemmMath::tensor_core, 64));
  for (std::size_t i = 0; i < first.size() / 2; ++i) ASSERT_EQ(both[i], first[i]) << i;
}

TEST(Pyramid, TapsInThePaddingAreSkipped) {
  for (bool sum : {false, true}) {
    Pyramid pyramid({branch(8, 3, 24), branch(8, 3, 36)}, {1, 9, 9, 16}, DType::f16, sum);
    for (std::size_t b : {0U, 1U})
      for (std::size_t i = 0; i < pyramid.weight(b).size(); ++i)
        if (i % 9 != 4) pyramid.weight(b)[i] = std::numeric_limits<float>::quiet_NaN();
    for (GemmMath math : maths_of(DType::f16))
      for (const PyramidPlan& plan : all_plans(pyramid.problem(), math))
        pyramid.expect_right(pyramid.run(plan), plan.describe());
  }
}

TEST(Pyramid, TheWorkListHasEveryTileOnce) {
  const Shape map{1, 33, 33, 2048};
  PyramidProblem problem{
      TensorDesc::dense(map, DType::f16), TensorDesc::dense({1, 33, 33, 1024}, DType::f16), {}, false};
  problem.branches = {branch(256, 1, 1), branch(256, 3, 6), branch(256, 3, 12), branch(256, 3, 18)};
  for (const PyramidPlan& plan : all_plans(problem, GemmMath::tensor_core)) {
    const cuda::ImplicitGemmVariant& v = cuda::pyramid_variants(plan.math).data[plan.variant];
    std::set<std::array<int, 4>> seen;
    for (const cuda::PyramidItem& item : plan.items)
      EXPECT_TRUE(seen.insert({item.branch, item.tile, item.channel, item.split}).second);
    std::size_t expected = 0;
    for (std::size_t b = 0; b < 4; ++b) {
      auto along = [](int extent, int tile) { return static_cast<std::size_t>((extent + tile - 1) / tile); };
      expected += along(33, plan.tiles[b].h) * along(33, plan.tiles[b].w) * along(256, v.channels);
    }
    EXPECT_EQ(seen.size(), expected) << plan.describe();
    EXPECT_EQ(plan.items.back().branch, 0) << "the 1x1 branch has the least work";
  }
}

TEST(Pyramid, Refusals) {
  auto refusal = [](std::vector<Conv2dParams> branches, bool sum, int ic = 16, int pooled = -1) {
    std::int64_t oc = 0;
    for (const Conv2dParams& p : branches) oc = sum ? p.oc : oc + p.oc;
    const PyramidProblem problem{TensorDesc::dense({1, 9, 9, ic}, DType::f16),
                                 TensorDesc::dense({1, 9, 9, oc}, DType::f16), std::move(branches), sum,
                                 pooled};
    return refuse_pyramid(problem, GemmMath::tensor_core, 8);
  };
  EXPECT_EQ(refusal(kSummed, true), "");
  EXPECT_EQ(refusal(kConcatenated, false), "");
  EXPECT_NE(refusal(kConcatenated, true), "");
  EXPECT_NE(refusal({branch(8, 3, 2, ActivationKind::relu), branch(8, 3, 4)}, true), "");
  EXPECT_EQ(refusal({branch(8, 3, 2), branch(8, 3, 4, ActivationKind::relu)}, true), "");
  EXPECT_NE(refusal(kConcatenated, false, 12), "");
  EXPECT_NE(refusal({6, branch(8, 1, 1)}, false), "");
  EXPECT_EQ(refusal(kConcatenated, false, 16, 0), "");
  EXPECT_NE(refusal(kConcatenated, false, 16, 1), "") << "of 3x3";
  EXPECT_NE(refusal({branch(8, 1, 1), branch(8, 1, 1)}, true, 16, 1), "");
  EXPECT_NE(refusal({}, false), "");
}

}  // namespace
}  // namespace atrous::test
