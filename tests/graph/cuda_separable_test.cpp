// SPDX-License-Identifier: Apache-2.0
// Networks of separable convolutions on CUDA, executed by the emulation layer: however the pairs are run, the
// scores are those of the CPU.
#include <gtest/gtest.h>

#include <algorithm>

#include "backend/cuda/cuda_backend.h"
#include "config/modules.h"
#include "config/yaml.h"
#include "graph/builder.h"
#include "graph/executor.h"
#include "support/run_network.h"

namespace atrous {
namespace {

/// Inverted residuals, a pyramid whose branches are separable, a decoder: a DeepLabv3+ on MobileNet in small.
constexpr const char* kSeparableNetwork = R"(
- {name: stem, op: conv2d, out: 12, kernel: 3, stride: 2}
- {name: stem_act, op: relu6}
- {name: e1, op: conv2d, out: 40}
- {name: e1_bn, op: batch_norm}
- {name: e1_act, op: relu6}
- {name: d1, op: conv2d, kernel: 3, groups: depthwise, stride: 2}
- {name: d1_bn, op: batch_norm}
- {name: d1_act, op: relu6}
- {name: p1, op: conv2d, out: 24}
- {name: p1_bn, op: batch_norm}
- {name: e2, op: conv2d, out: 36}
- {name: e2_act, op: hardswish}
- {name: d2, op: conv2d, kernel: 5, groups: depthwise, dilation: 2}
- {name: d2_act, op: hardswish}
- {name: p2, op: conv2d, out: 24}
- {name: body, op: add, inputs: [p2, p1_bn]}
- {name: b0, op: conv2d, out: 10, bias: true, input: body}
- {name: b0_act, op: relu}
- {name: b1d, op: conv2d, kernel: 3, dilation: 6, groups: depthwise, input: body}
- {name: b1, op: conv2d, out: 10, bias: true}
- {name: b1_act, op: relu}
- {name: b2d, op: conv2d, kernel: 3, dilation: 12, groups: depthwise, input: body}
- {name: b2, op: conv2d, out: 7, bias: true}
- {name: b3, op: conv2d, out: 8, kernel: 3, dilation: 2, input: body}
- {name: b4, op: conv2d, out: 8, kernel: 3, dilation: 3, input: body}
- {name: aspp, op: concat, inputs: [b0_act, b1_act, b2, b3, b4]}
- {name: up, op: resize, scale: 2}
- {name: d3, op: conv2d, kernel: 3, groups: depthwise, bias: true}
- {name: d3_act, op: relu}
- {name: logits, op: conv2d, out: 5, bias: true}
)";
constexpr std::ptrdiff_t kPairs = 5;

constexpr Shape kSeparableInput{2, 33, 29, 3};

/// The CUDA backend with one implementation of separable convolutions alone.
class OneWay : public Backend {
 public:
  explicit OneWay(std::string_view name) : cuda_(make_cuda_backend(0)) {
    const std::span<const Implementation> all = cuda_->implementations(OpKind::separable);
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const Implementation& i) { return i.name == name; });
    if (found != all.end()) only_ = {&*found, 1};
  }
  Device device() const override { return cuda_->device(); }
  std::string describe() const override { return cuda_->describe(); }
  std::span<const Implementation> implementations(OpKind kind) const override {
    return kind == OpKind::separable ? only_ : cuda_->implementations(kind);
  }
  std::unique_ptr<DeviceMemory> allocate(std::size_t bytes) const override { return cuda_->allocate(bytes); }
  std::unique_ptr<Stream> make_stream() const override { return cuda_->make_stream(); }
  std::span<const DType> activation_types() const override { return cuda_->activation_types(); }
  void set_threads(int threads) const override { cuda_->set_threads(threads); }
  int default_threads() const override { return cuda_->default_threads(); }

 private:
  std::shared_ptr<const Backend> cuda_;
  std::span<const Implementation> only_;
};

std::shared_ptr<const Network> network(std::shared_ptr<const Backend> backend, DType dtype,
                                       bool fuse = true) {
  const Expansion e = expand_network(parse_yaml(kSeparableNetwork, "net.yaml"), "", Value::map({}), {}, {});
  PlanOptions options;
  options.dtype = dtype;
  options.fuse = fuse;
  options.poison = true;
  return std::make_shared<Network>(build_graph(e.nodes, e.output, kSeparableInput, RandomWeights(3)),
                                   kSeparableInput, std::move(backend), options);
}

std::ptrdiff_t count(const Network& network, OpKind kind) {
  const auto nodes = network.graph().nodes();
  return std::count_if(nodes.begin(), nodes.end(), [&](const Node& node) { return node.kind() == kind; });
}

class SeparableNetwork : public testing::TestWithParam<DType> {};

TEST_P(SeparableNetwork, AgreesWithTheCpuHoweverThePairsAreRun) {
  const std::vector<float> input = test::noise(kSeparableInput);
  Executor cpu(network(make_backend({}), DType::f32), 1);
  const std::vector<float> wanted = test::run(cpu, kSeparableInput, input);
  const double tolerance = GetParam() == DType::f16 ? 0.01 : 0.06;
  Executor apart(network(make_cuda_backend(0), GetParam(), false));
  test::expect_near(test::run(apart, kSeparableInput, input), wanted, tolerance);
  std::vector<float> in_turn;
  for (const char* name : {"in_turn", "fused"}) {
    SCOPED_TRACE(name);
    const auto compiled = network(std::make_shared<OneWay>(name), GetParam());
    ASSERT_EQ(count(*compiled, OpKind::separable), kPairs);
    EXPECT_EQ(count(*compiled, OpKind::pyramid), 1) << "b3 and b4";
    Executor cuda(compiled);
    const std::vector<float> got = test::run(cuda, kSeparableInput, input);
    test::expect_near(got, wanted, tolerance);
    if (in_turn.empty()) in_turn = got;
    EXPECT_EQ(got, in_turn) << "the same roundings in the same order";
  }
}
INSTANTIATE_TEST_SUITE_P(Types, SeparableNetwork, testing::Values(DType::f16, DType::bf16),
                         [](const auto& test) { return std::string(to_string(test.param)); });

TEST(SeparablePairs, StayConvolutionsOnTheCpuAndInF32) {
  EXPECT_EQ(count(*network(make_backend({}), DType::f32), OpKind::separable), 0);
  EXPECT_EQ(count(*network(make_cuda_backend(0), DType::f32), OpKind::separable), 0);
}

}  // namespace
}  // namespace atrous
