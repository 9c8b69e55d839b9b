// SPDX-License-Identifier: Apache-2.0
// Whole small networks on CUDA, executed by the emulation layer, against the CPU.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <thread>

#include "backend/cuda/cuda_backend.h"
#include "config/modules.h"
#include "config/yaml.h"
#include "graph/builder.h"
#include "graph/executor.h"
#include "support/emulation/memory.h"
#include "support/run_network.h"
#include "support/temp_folder.h"

namespace atrous {
namespace {

using test::expect_near;
using test::noise;
using test::run;

/// A DeepLabv3+ in small: residual and dilated blocks, a pyramid with image pooling, a decoder.
constexpr const char* kDeepLab = R"(
- {name: stem, op: conv2d, out: 16, kernel: 3, stride: 2}
- {name: stem_bn, op: batch_norm}
- {name: stem_relu, op: relu}
- {name: pool, op: max_pool, kernel: 3, stride: 2, padding: 1}
- {name: down, op: conv2d, out: 16, kernel: 3, dilation: 2, bias: true}
- {name: sum, op: add, inputs: [down, pool]}
- {name: low, op: relu}
- {name: depth, op: conv2d, kernel: 3, groups: depthwise, dilation: 4}
- {name: depth_bn, op: batch_norm}
- {name: depth_act, op: hardswish}
- {name: body, op: conv2d, out: 24}
- {name: a0, op: conv2d, out: 8, input: body}
- {name: a1, op: conv2d, out: 8, kernel: 3, dilation: 6, input: body}
- {name: a1_relu, op: relu}
- {name: a2, op: conv2d, out: 8, kernel: 3, dilation: 12, bias: true, input: body}
- {name: mean, op: global_average_pool, input: body}
- {name: mean_conv, op: conv2d, out: 8, bias: true}
- {name: mean_wide, op: resize, like: true, inputs: [mean_conv, body]}
- {name: aspp, op: concat, inputs: [a0, a1_relu, a2, mean_wide]}
- {name: project, op: conv2d, out: 16}
- {name: up, op: resize, scale: 2, coordinates: align_corners}
- {name: s1, op: conv2d, out: 5, kernel: 3, dilation: 2, input: up}
- {name: s2, op: conv2d, out: 5, kernel: 3, dilation: 4, input: up}
- {name: logits, op: add, inputs: [s1, s2]}
)";

/// Active template regression in small: a network that pools, one that does not, and their fusion.
constexpr const char* kTemplateNetworks = R"(
template_network:
  - {name: conv, op: conv2d, out: 16, kernel: 5, stride: 2, bias: true}
  - {name: relu, op: relu}
  - {name: norm, op: lrn}
  - {name: pool, op: max_pool, kernel: 3, stride: 2}
  - {name: dense, op: fully_connected, out: 32}
  - {name: dense_relu, op: relu}
  - {name: coefficients, op: fully_connected, out: 9}
shape_network:
  - {name: conv, op: conv2d, out: 16, kernel: 5, stride: 2, bias: true}
  - {name: relu, op: relu}
  - {name: norm, op: lrn}
  - {name: strided, op: conv2d, out: 16, kernel: 3, stride: 2, bias: true}
  - {name: boxes, op: fully_connected, out: 20}
  - {name: sigmoid, op: sigmoid}
)";
constexpr const char* kFusion =
    R"([{name: fuse, op: template_morph, inputs: [template_network, shape_network],
  templates: [3, 1, 3, 2], mask: [9, 7], size: [23, 19]}])";

constexpr Shape kNetworkInput{1, 33, 41, 3};

std::shared_ptr<const Network> network(std::shared_ptr<const Backend> backend, PlanOptions options = {},
                                       const char* nodes = kDeepLab, const Value& networks = {}) {
  const Expansion e = expand_network(parse_yaml(nodes, "net.yaml"), "", Value::map({}), {}, networks);
  return std::make_shared<Network>(build_graph(e.nodes, e.output, kNetworkInput, RandomWeights(3)),
                                   kNetworkInput, std::move(backend), options);
}

class CudaNetwork : public testing::TestWithParam<DType> {
 protected:
  PlanOptions options() const {
    PlanOptions options;
    options.dtype = GetParam();
    return options;
  }
  double tolerance() const {
    return GetParam() == DType::f32 ? 1e-5 : GetParam() == DType::f16 ? 0.01 : 0.06;
  }
};

TEST_P(CudaNetwork, AgreesWithTheCpuFusedAndUnfused) {
  const std::vector<float> input = noise(kNetworkInput, 1);
  Executor cpu(network(make_backend({})), 1);
  const std::vector<float> wanted = run(cpu, kNetworkInput, input);
  PlanOptions plain = options(), poisoned = options();
  plain.fold_batch_norm = plain.fuse = plain.concat_in_place = plain.reuse_memory = false;
  poisoned.poison = true;
  for (const PlanOptions& o : {options(), plain, poisoned}) {
    Executor cuda(network(make_cuda_backend(0), o));
    expect_near(run(cuda, kNetworkInput, input), wanted, tolerance());
  }
}

TEST_P(CudaNetwork, TemplateRegressionAgreesWithTheCpu) {
  const Value networks = parse_yaml(kTemplateNetworks, "networks.yaml");
  Shape batch = kNetworkInput;
  batch.n = 2;
  const std::vector<float> input = noise(batch, 3);
  Executor cpu(network(make_backend({}), {}, kFusion, networks), 2);
  const std::vector<float> wanted = run(cpu, batch, input);
  ASSERT_LT(*std::min_element(wanted.begin(), wanted.end()), 0.01F);
  for (std::size_t pixel = 0; pixel < wanted.size(); pixel += 5)
    ASSERT_NEAR(std::accumulate(wanted.begin() + static_cast<std::ptrdiff_t>(pixel),
                                wanted.begin() + static_cast<std::ptrdiff_t>(pixel) + 5, 0.0),
                1, 1e-5);
  PlanOptions poisoned = options();
  poisoned.poison = true;
  for (const PlanOptions& o : {options(), poisoned}) {
    Executor cuda(network(make_cuda_backend(0), o, kFusion, networks));
    expect_near(run(cuda, batch, input), wanted, tolerance());
  }
}

TEST_P(CudaNetwork, AsppIsOneNodeWithItsImagePooling) {
  const auto compiled = network(make_cuda_backend(0), options());
  Executor cuda(compiled);
  run(cuda, kNetworkInput, noise(kNetworkInput, 1));
  std::vector<std::size_t> branches;
  for (const Step& step : cuda.plan().steps) {
    const OpParams& params = compiled->graph().node(step.node).params;
    EXPECT_FALSE(std::holds_alternative<Pool2dParams>(params) && std::get<Pool2dParams>(params).global);
    if (const auto* pyramid = std::get_if<PyramidParams>(&params)) {
      branches.push_back(pyramid->branches.size());
      EXPECT_TRUE(step.implementation.starts_with("one_launch")) << step.implementation;
    }
  }
  EXPECT_EQ(branches, (std::vector<std::size_t>{4, 2})) << "the pyramid with its pooling, the summed logits";
}

TEST_P(CudaNetwork, RecordingsGiveTheSameBytesAndSurviveOtherShapes) {
  PlanOptions eager = options();
  eager.record = false;
  Executor recording(network(make_cuda_backend(0), options())), other(network(make_cuda_backend(0), eager));
  const Shape large{2, 40, 35, 3};
  for (unsigned i = 0; i < 4; ++i) {
    const std::vector<float> input = noise(kNetworkInput, i);
    EXPECT_EQ(run(recording, kNetworkInput, input), run(other, kNetworkInput, input)) << "run " << i;
    if (i == 1) {
      EXPECT_EQ(run(recording, large, noise(large, 7)), run(other, large, noise(large, 7)));
    }
  }
}

TEST_P(CudaNetwork, ABatchEqualsItsImages) {
  Shape batch = kNetworkInput;
  batch.n = 3;
  Executor executor(network(make_cuda_backend(0), options()));
  const std::vector<float> input = noise(batch), together = run(executor, batch, input);
  for (std::int64_t i = 0; i < 3; ++i)
    expect_near(run(executor, kNetworkInput, test::image_of(input, 3, i)), test::image_of(together, 3, i),
                tolerance());
}

INSTANTIATE_TEST_SUITE_P(Types, CudaNetwork, testing::Values(DType::f32, DType::f16, DType::bf16),
                         [](const auto& test) { return std::string(to_string(test.param)); });

TEST(CudaExecutor, TwoThreadsShareANetwork) {
  const auto shared = network(make_cuda_backend(0));
  const std::vector<float> input = noise(kNetworkInput, 2);
  Executor first(shared);
  const std::vector<float> wanted = run(first, kNetworkInput, input);
  std::vector<std::vector<float>> results(2);
  {
    std::vector<std::jthread> threads;
    for (std::vector<float>& result : results)
      threads.emplace_back([&] {
        Executor own(shared);
        for (int i = 0; i < 3; ++i) result = run(own, kNetworkInput, input);
      });
  }
  for (const std::vector<float>& result : results) EXPECT_EQ(result, wanted);
}

TEST(CudaExecutor, ReturnsItsMemory) {
  const std::size_t before = cuda::emulation::live_allocations();
  for (int i = 0; i < 1000; ++i) {
    const auto opened = network(make_cuda_backend(0));
    Executor executor(opened);
    executor.prepare({1, 9, 9, 3});
    if (i == 0) run(executor, {1, 9, 9, 3}, noise({1, 9, 9, 3}, 1));
  }
  EXPECT_EQ(cuda::emulation::live_allocations(), before);
}

TEST(CudaTuner, MeasuresOnceAndRemembers) {
  const test::TempFolder folder;
  const std::shared_ptr<const Backend> backend = make_cuda_backend(0);
  const Conv2dParams params = [] {
    Conv2dParams p;
    p.oc = 16, p.kh = p.kw = 3, p.padding = {false, 1, 1, 1, 1};
    return p;
  }();
  const OpParams any = params;
  const TensorDesc in = TensorDesc::dense({1, 5, 6, 16}), out = TensorDesc::dense({1, 5, 6, 16});
  const std::vector<Constant> constants{
      {"weight", make_tensor_ref("w", {16, 16, 3, 3}, std::vector<float>(16 * 16 * 9, 0.5F)), {}}};
  const NodeDesc node{"conv", any, std::span(&in, 1), out, constants};
  std::vector<const Implementation*> candidates;
  for (const Implementation& candidate : backend->implementations(OpKind::conv2d))
    if (candidate.refuse(node).empty()) candidates.push_back(&candidate);
  ASSERT_GE(candidates.size(), 2U);
  Tuner tuner(*backend, folder.path());
  const std::vector<Tuner::Measured> first = tuner.measure(node, candidates);
  ASSERT_EQ(first.size(), candidates.size());
  EXPECT_LE(first.front().milliseconds, first.back().milliseconds);
  auto same = [&](const std::vector<Tuner::Measured>& other) {
    return std::equal(first.begin(), first.end(), other.begin(), other.end(),
                      [](const auto& a, const auto& b) {
                        return a.implementation == b.implementation && a.milliseconds == b.milliseconds;
                      });
  };
  EXPECT_TRUE(same(tuner.measure(node, candidates)));
  EXPECT_TRUE(same(Tuner(*backend, folder.path()).measure(node, candidates))) << "read back from the file";
  int broken = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    if (entry.path().extension() == ".json")
      folder.write(entry.path().filename().string(), "{broken"), ++broken;
  ASSERT_EQ(broken, 1);
  EXPECT_EQ(Tuner(*backend, folder.path()).measure(node, candidates).size(), candidates.size());
}

}  // namespace
}  // namespace atrous
