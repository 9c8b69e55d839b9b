// SPDX-License-Identifier: Apache-2.0
#include "ops/gemm_case.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "backend/cuda/conv2d_packing.h"
#include "backend/cuda/cuda_backend.h"
#include "ops/conv2d.h"
#include "ops/schema.h"
#include "support/tolerance.h"

namespace atrous::test {
namespace {

constexpr std::size_t kGuard = 64;

DType dtype_of(Precision precision) {
  return precision == Precision::f16 ? DType::f16 : precision == Precision::bf16 ? DType::bf16 : DType::f32;
}

OpCase op_case(const GemmCase& c) {
  OpCase result{"", c.params, {c.in}};
  if (c.params.has_residual) {
    Conv2dParams plain = c.params;
    plain.has_residual = false;
    result.inputs.push_back(schema_of(plain).infer_shape(plain, result.inputs));
  }
  return result;
}

}  // namespace

Conv2dParams conv(int oc, int k, int stride, int dilation) {
  Conv2dParams p;
  p.oc = oc, p.kh = p.kw = k, p.sh = p.sw = stride, p.dh = p.dw = dilation;
  const int pad = dilation * (k - 1) / 2;
  p.padding = {false, pad, pad, pad, pad};
  return p;
}

GemmRun::GemmRun(const GemmCase& test_case)
    : case_(test_case),
      backend_(make_cuda_backend(0)),
      stream_(backend_->make_stream()),
      values_(make_problem(op_case(case_), case_.precision, case_.integers)),
      weights_(values_.constants[0].read_f32()) {
  for (const RefTensor& input : values_.inputs)
    inputs_.emplace_back(make_tensor(input.shape, 0)).upload(input);
  problem_ = {inputs_[0].desc(), make_tensor(values_.expected.shape, kGuard).desc(), inputs_.back().desc(),
              resolve_conv2d(case_.params, case_.in)};
}

DeviceTensor GemmRun::make_tensor(const Shape& shape, std::size_t guard) {
  return {*backend_, *stream_, shape, dtype_of(case_.precision), case_.placement, guard};
}

std::unique_ptr<DeviceMemory> GemmRun::to_device(const void* data, std::size_t bytes) {
  std::unique_ptr<DeviceMemory> memory = backend_->allocate(bytes);
  stream_->upload(memory->data(), data, bytes);
  return memory;
}

void GemmRun::poison_tap(int ky, int kx) {
  const auto taps =
      static_cast<std::size_t>(problem_.params.kh) * static_cast<std::size_t>(problem_.params.kw);
  for (auto i = static_cast<std::size_t>(ky * problem_.params.kw + kx); i < weights_.size(); i += taps)
    weights_[i] = std::numeric_limits<float>::quiet_NaN();
}

std::vector<double> GemmRun::output(const Run& run, std::size_t workspace_bytes) {
  const ConvWeights weights{weights_, static_cast<std::size_t>(problem_.params.oc),
                            static_cast<std::size_t>(problem_.params.kh * problem_.params.kw)};
  const std::vector<std::byte> packed = pack_channel_major(weights, dtype_of(case_.precision));
  const std::unique_ptr<DeviceMemory> weight = to_device(packed.data(), packed.size());
  std::unique_ptr<DeviceMemory> bias;
  if (case_.params.has_bias) {
    const std::vector<float> values = values_.constants[1].read_f32();
    bias = to_device(values.data(), values.size() * sizeof(float));
  }
  const std::vector<std::byte> unwritten(workspace_bytes, std::byte{0xff});
  const std::unique_ptr<DeviceMemory> workspace = to_device(unwritten.data(), unwritten.size());
  DeviceTensor out = make_tensor(values_.expected.shape, kGuard);
  run({inputs_[0].data(), weight->data(), bias ? reinterpret_cast<const float*>(bias->data()) : nullptr,
       inputs_.back().data(), out.data(), workspace->data()},
      stream_of({{}, nullptr, nullptr, stream_.get()}));
  out.download();
  EXPECT_TRUE(out.surroundings_intact()) << "wrote outside its output";
  std::vector<double> result;
  for (std::int64_t pixel = 0; pixel < out.desc().shape.pixels(); ++pixel)
    for (std::int64_t c = 0; c < out.desc().shape.c; ++c) result.push_back(out.at(pixel, c));
  return result;
}

std::vector<double> GemmRun::by_plan(const cuda::ImplicitGemmPlan& plan) {
  return output([&](const cuda::Conv2dAddresses& at,
                    cuda::StreamHandle stream) { run_conv2d_implicit_gemm(plan, at, stream); },
                plan.workspace_bytes());
}

double GemmRun::error(const std::vector<double>& got) const {
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double difference = std::abs(got[i] - values_.expected.values[i]);
    worst = std::max(worst, std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference);
  }
  return worst;
}

void GemmRun::expect_right(const std::vector<double>& got, const std::string& what) const {
  const double allowed = case_.integers ? 0
                                        : tolerance(case_.params, dtype_of(case_.precision), values_.terms,
                                                    values_.largest, values_.largest);
  ASSERT_EQ(got.size(), values_.expected.values.size()) << what;
  EXPECT_LE(error(got), allowed) << what;
}

}  // namespace atrous::test
