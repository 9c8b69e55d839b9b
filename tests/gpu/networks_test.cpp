// SPDX-License-Identifier: Apache-2.0
// Whole small networks on CUDA against the double-precision reference, node by node and unoptimised.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "config/modules.h"
#include "graph/builder.h"
#include "graph/executor.h"
#include "network_text.h"
#include "support/backend_under_test.h"
#include "support/reference.h"
#include "support/run_network.h"
#include "support/temp_folder.h"

namespace atrous::test {
namespace {

/// A DeepLab in small: residual and dilated blocks, a pyramid with image pooling, a separable
/// convolution, summed classifiers.
constexpr const char* kDeepLab = R"([
  {"name": "stem", "op": "conv2d", "out": "16", "kernel": "3", "stride": "2"},
  {"name": "stem_bn", "op": "batch_norm"},
  {"name": "stem_relu", "op": "relu"},
  {"name": "pool", "op": "max_pool", "kernel": "3", "stride": "2", "padding": "1"},
  {"name": "down", "op": "conv2d", "out": "16", "kernel": "3", "dilation": "2", "bias": "true"},
  {"name": "sum", "op": "add", "inputs": ["down", "pool"]},
  {"name": "low", "op": "relu"},
  {"name": "depth", "op": "conv2d", "kernel": "3", "groups": "depthwise", "dilation": "4"},
  {"name": "depth_bn", "op": "batch_norm"},
  {"name": "depth_act", "op": "hardswish"},
  {"name": "body", "op": "conv2d", "out": "24", "groups": "4"},
  {"name": "a0", "op": "conv2d", "out": "8", "input": "body"},
  {"name": "a1", "op": "conv2d", "out": "8", "kernel": "3", "dilation": "6", "input": "body"},
  {"name": "a1_relu", "op": "relu"},
  {"name": "a2", "op": "conv2d", "out": "8", "kernel": "3", "dilation": "12", "bias": "true", "input": "body"},
  {"name": "mean", "op": "global_average_pool", "input": "body"},
  {"name": "mean_conv", "op": "conv2d", "out": "8", "bias": "true"},
  {"name": "mean_wide", "op": "resize", "like": "true", "inputs": ["mean_conv", "body"]},
  {"name": "aspp", "op": "concat", "inputs": ["a0", "a1_relu", "a2", "mean_wide"]},
  {"name": "mix", "op": "conv2d", "kernel": "3", "groups": "depthwise"},
  {"name": "mixed", "op": "conv2d", "out": "16", "bias": "true"},
  {"name": "s1", "op": "conv2d", "out": "5", "kernel": "3", "dilation": "2", "input": "mixed"},
  {"name": "s2", "op": "conv2d", "out": "5", "kernel": "3", "dilation": "4", "input": "mixed"},
  {"name": "logits", "op": "add", "inputs": ["s1", "s2"]}])";

constexpr Shape kInput{3, 37, 41, 3};

Graph deeplab() {
  const Expansion e =
      expand_network(bench::value_of(nlohmann::ordered_json::parse(kDeepLab)), "", Value::map({}), {});
  return build_graph(e.nodes, e.output, kInput, RandomWeights(3));
}

/// The graph's output for kInput, by the definition of each operator.
std::vector<float> expected(const Graph& graph, const std::vector<float>& input) {
  const std::vector<Shape> shapes = infer_shapes(graph, kInput);
  std::vector<RefTensor> values{{kInput, {input.begin(), input.end()}}};
  for (int i = 1; i < graph.size(); ++i) {
    const Node& node = graph.node(i);
    std::vector<RefTensor> inputs;
    for (int from : node.inputs) inputs.push_back(values[static_cast<std::size_t>(from)]);
    std::vector<std::vector<double>> constants;
    for (const Constant& constant : node.constants) {
      const std::vector<float> read = constant.read_f32();
      constants.emplace_back(read.begin(), read.end());
    }
    values.push_back(reference(node.params, inputs, constants, shapes[static_cast<std::size_t>(i)]));
  }
  const std::vector<double>& output = values[static_cast<std::size_t>(graph.outputs()[0])].values;
  return {output.begin(), output.end()};
}

class Networks : public testing::Test {
 protected:
  void SetUp() override {
    if (!tested_.backend) GTEST_SKIP() << tested_.why_none;
  }
  std::shared_ptr<const Network> network(const PlanOptions& options) const {
    return std::make_shared<Network>(graph_, kInput, tested_.backend, options);
  }
  /// Several runs: the first as it is, later ones by a recording.
  std::vector<float> run_often(const std::shared_ptr<const Network>& network) const {
    Executor executor(network);
    const std::vector<float> first = run(executor, kInput, input_);
    for (int i = 1; i < 3; ++i) EXPECT_EQ(run(executor, kInput, input_), first) << "run " << i;
    return first;
  }

  const BackendUnderTest tested_ = backend_under_test();
  const Graph graph_ = deeplab();
  const std::vector<float> input_ = noise(kInput);
  const std::vector<float> expected_ = expected(graph_, input_);
};

constexpr std::pair<DType, double> kTypes[] = {{DType::f32, 1e-4}, {DType::f16, 0.01}, {DType::bf16, 0.06}};

TEST_F(Networks, AgreeWithTheReferenceHoweverTheyAreCompiled) {
  for (const auto& [dtype, tolerance] : kTypes)
    for (int variant = 0; variant < 4; ++variant) {
      PlanOptions options;
      options.dtype = dtype;
      options.fuse = options.fold_batch_norm = variant != 1;
      options.concat_in_place = options.reuse_memory = variant != 2;
      options.poison = variant == 3;
      SCOPED_TRACE(testing::Message() << to_string(dtype) << " variant " << variant);
      expect_near(run_often(network(options)), expected_, tolerance);
    }
}

TEST_F(Networks, RecordingsChangeNothing) {
  PlanOptions options;
  options.dtype = DType::f16;
  const std::vector<float> recorded = run_often(network(options));
  options.record = false;
  EXPECT_EQ(run_often(network(options)), recorded);
}

TEST_F(Networks, TunedOnesAgreeAndRememberTheirChoice) {
  const TempFolder cache;
  ASSERT_EQ(setenv("XDG_CACHE_HOME", cache.path().c_str(), 1), 0);
  PlanOptions options;
  options.tune = true;
  for (const auto& [dtype, tolerance] : kTypes) {
    options.dtype = dtype;
    SCOPED_TRACE(to_string(dtype));
    const std::vector<float> first = run_often(network(options));
    expect_near(first, expected_, tolerance);
    EXPECT_EQ(run_often(network(options)), first);
  }
  EXPECT_FALSE(std::filesystem::is_empty(cache.path() / "atrous"));
}

TEST_F(Networks, ExecutorsInTwoThreadsDoNotDisturbEachOther) {
  PlanOptions options;
  options.dtype = DType::f16;
  const std::shared_ptr<const Network> shared = network(options);
  const std::vector<float> alone = run_often(shared);
  std::vector<float> together[2];
  std::thread other([&] { together[0] = run_often(shared); });
  together[1] = run_often(shared);
  other.join();
  EXPECT_EQ(together[0], alone);
  EXPECT_EQ(together[1], alone);
}

}  // namespace
}  // namespace atrous::test
