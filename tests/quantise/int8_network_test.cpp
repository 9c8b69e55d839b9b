// SPDX-License-Identifier: Apache-2.0
// Small networks on 8 bits from end to end, and what a quantised model's files may not hold.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "graph/passes.h"
#include "quantised_network.h"
#include "support/allocations.h"

namespace atrous {
namespace {

using test::noise;
using test::QuantisedNetwork;
using test::run;
using testing::HasSubstr;

constexpr Shape kInput{1, 20, 23, 3};
constexpr const char* kNetwork = R"(
- {name: stem, op: conv2d, out: 24, kernel: 3, stride: 2}
- {name: stem_act, op: relu}
- {name: a, op: conv2d, out: 16, kernel: 1}
- {name: a_norm, op: batch_norm}
- {name: a_act, op: relu6}
- {name: b, op: conv2d, kernel: 3, groups: depthwise, dilation: 2}
- {name: b_act, op: hardswish}
- {name: c, op: conv2d, out: 24, kernel: 1}
- {name: c_norm, op: batch_norm}
- {name: shortcut, op: conv2d, out: 24, kernel: 1, input: stem_act}
- {name: sum, op: add, inputs: [c_norm, shortcut]}
- {name: sum_act, op: relu}
- {name: d, op: conv2d, out: 24, kernel: 3, dilation: 4, bias: true}
- {name: sum_2, op: add, inputs: [d, sum_act]}
- {name: branch_0, op: conv2d, out: 9, kernel: 1, input: sum_2}
- {name: branch_1, op: conv2d, out: 10, kernel: 3, dilation: 6, input: sum_2}
- {name: branch_1_act, op: relu}
- {name: inner, op: concat, inputs: [branch_0, branch_1_act]}
- {name: mean, op: global_average_pool, input: sum_2}
- {name: pooled, op: conv2d, out: 5}
- {name: wide, op: resize, like: true, inputs: [pooled, sum_2]}
- {name: joined, op: concat, inputs: [inner, wide]}
- {name: project, op: conv2d, out: 16, kernel: 1}
- {name: project_act, op: relu}
- {name: up, op: resize, like: true, inputs: [project_act, stem_act]}
- {name: refine, op: conv2d, out: 12, kernel: 3}
- {name: refine_act, op: relu}
- {name: logits, op: conv2d, out: 4, bias: true}
)";

bool has_int8() { return make_backend({})->refuse_convolutions(DType::s8).empty(); }
#define NEEDS_INT8() \
  if (!has_int8()) GTEST_SKIP() << "cpu " << make_backend({})->refuse_convolutions(DType::s8)

const QuantisedNetwork& network() {
  static const QuantisedNetwork kQuantised = test::quantise(kNetwork, kInput);
  return kQuantised;
}

PlanOptions int8() {
  PlanOptions options;
  options.convolutions = DType::s8;
  return options;
}

Executor executor_of(const Graph& graph, const Shape& input, const PlanOptions& options, int threads = 2) {
  return Executor(std::make_shared<Network>(graph, input, make_backend({}), options), threads);
}

std::vector<float> run_with(const PlanOptions& options, int threads = 2) {
  Executor executor = executor_of(network().build(kInput), kInput, options, threads);
  return run(executor, kInput, noise(kInput));
}

/// "name type" of every step.
std::vector<std::string> steps_of(const Network& compiled) {
  const std::unique_ptr<Plan> plan = make_plan(compiled, kInput, 2);
  std::vector<std::string> steps;
  for (const Step& step : plan->steps)
    steps.push_back(compiled.graph().node(step.node).name + " " +
                    std::string(to_string(plan->values[static_cast<std::size_t>(step.node)].desc.dtype)));
  return steps;
}

TEST(Int8Network, StaysOnEightBitsBetweenConvolutions) {
  NEEDS_INT8();
  const Network compiled(network().build(kInput), kInput, make_backend({}), int8());
  EXPECT_THAT(
      steps_of(compiled),
      testing::ElementsAre("stem f32", "stem.u8 u8", "a u8", "b s8", "c s8", "shortcut u8", "d s8",
                           "branch_0 s8", "branch_1 s8", "d.f32 f32", "mean f32", "pooled f32", "wide f32",
                           "wide.s8 s8", "project f32", "up f32", "up.u8 u8", "refine u8", "logits f32"));
}

TEST(Int8Network, IsNearTheSameWeightsInFp32) {
  NEEDS_INT8();
  const std::vector<float> on_8_bits = run_with(int8()), in_fp32 = run_with({});
  EXPECT_NE(on_8_bits, in_fp32);
  test::expect_near(on_8_bits, in_fp32, 0.05);
}

TEST(Int8Network, DoesNotDependOnMemoryThreadsOrPlacement) {
  NEEDS_INT8();
  const std::vector<float> wanted = run_with(int8());
  EXPECT_EQ(run_with(int8(), 1), wanted);
  PlanOptions options = int8();
  options.poison = true;
  EXPECT_EQ(run_with(options), wanted) << "poisoned";
  options.reuse_memory = false;
  EXPECT_EQ(run_with(options), wanted) << "fresh memory";
  options.concat_in_place = false;
  EXPECT_EQ(run_with(options), wanted) << "copied concatenations";
}

TEST(Int8Network, UnfusedIsNear) {
  NEEDS_INT8();
  PlanOptions options = int8();
  options.fuse = options.fold_batch_norm = false;
  test::expect_near(run_with(options), run_with({}), 0.05);
}

TEST(Int8Network, BatchesEqualSinglesAndOnlyOnednnAllocatesLater) {
  NEEDS_INT8();
  Executor executor = executor_of(network().build(kInput), kInput, int8());
  Shape three = kInput;
  three.n = 3;
  const std::vector<float> images = noise(three, 4), together = run(executor, three, images);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(run(executor, kInput, test::image_of(images, 3, i)), test::image_of(together, 3, i));
  executor.prepare(kInput);
  executor.write_input(noise(kInput));
  executor.run();
  executor.write_input(noise(kInput));
  const std::size_t before = test::allocations(), convolutions = 12, lists_of_onednn = 12;
  executor.run();
  EXPECT_LE(test::allocations() - before, convolutions * lists_of_onednn);
}

TEST(Int8Network, WithoutRangesItRunsInFp32) {
  QuantisedNetwork bare = network();
  for (NodeSpec& node : bare.expansion.nodes) node.range.reset();
  const Graph graph = bare.build(kInput);
  EXPECT_FALSE(can_quantise(graph));
  Executor executor = executor_of(graph, kInput, int8());
  EXPECT_EQ(run(executor, kInput, noise(kInput)), run_with({}));
}

TEST(Int8Network, SumsThat32BitsDoNotHoldStayInFp32) {
  const std::string yaml = "- {name: act, op: relu}\n- {name: sum, op: conv2d, out: 2, kernel: 3}\n";
  const Expansion e = expand_network(parse_yaml(yaml, "net.yaml"), "", Value::map({}), {});
  for (const auto& [channels, fits] : {std::pair(7281, true), std::pair(7282, false)}) {
    const Shape input{1, 3, 3, channels};
    std::vector<NodeSpec> nodes = e.nodes;
    nodes[0].range = ValueRange{0, 1};
    auto ones = std::make_shared<std::vector<std::int8_t>>(static_cast<std::size_t>(2 * channels * 9), 127);
    const std::shared_ptr<const std::byte> data(ones, reinterpret_cast<const std::byte*>(ones->data()));
    const test::MemoryWeights weights({{"sum.weight", {2, channels, 3, 3}, DType::s8, data},
                                       make_tensor_ref("sum.weight_scale", {2}, {1.0F / 127, 1.0F / 127})});
    const Graph graph = build_graph(nodes, e.output, input, weights);
    EXPECT_EQ(can_quantise(graph), fits) << channels;
    if (!has_int8()) continue;
    Executor executor = executor_of(graph, input, int8());
    const std::vector<float> sums =
        run(executor, input, std::vector<float>(static_cast<std::size_t>(input.elements()), 1.0F));
    EXPECT_NEAR(sums[8], 9.0 * channels, 0.001 * channels) << "the middle, of all taps";
  }
}

/// What is wrong with the network once `spoil` had its tensors.
template <typename F>
std::string complaint(F spoil) {
  QuantisedNetwork spoiled = network();
  spoil(spoiled.weights.tensors);
  try {
    spoiled.build(kInput);
  } catch (const Error& error) {
    return error.message();
  }
  return "no error";
}

TEST(Int8Network, RefusesHostileScales) {
  using Tensors = std::map<std::string, TensorRef, std::less<>>;
  const std::string name = "d.weight_scale";
  EXPECT_THAT(complaint([&](Tensors& t) { t.erase(name); }),
              HasSubstr("memory has no tensor 'd.weight_scale'"));
  for (std::int64_t length : {1, 23, 25})
    EXPECT_THAT(complaint([&](Tensors& t) {
                  t[name] = make_tensor_ref(name, {length}, std::vector<float>(25, 1.0F));
                }),
                HasSubstr(fmt::format("is [{}], the node needs [24]", length)));
  EXPECT_THAT(complaint([&](Tensors& t) {
                t[name] = make_tensor_ref(name, {1, 24}, std::vector<float>(24, 1));
              }),
              HasSubstr("is [1,24], the node needs [24]"));
  for (float bad : {0.0F, -0.0F, -0.5F, NAN, std::numeric_limits<float>::infinity()}) {
    std::vector<float> scales(24, 0.01F);
    scales[5] = bad;
    EXPECT_THAT(complaint([&](Tensors& t) { t[name] = make_tensor_ref(name, {24}, scales); }),
                HasSubstr("'d.weight_scale' of memory must hold finite values above 0 (element 5 is"));
  }
  EXPECT_THAT(complaint([&](Tensors& t) { t[name].dtype = DType::s8; }),
              HasSubstr("a scale is a real number"));
}

TEST(Int8Network, SmallestAndLargestScalesGiveFiniteNumbers) {
  NEEDS_INT8();
  for (float scale : {std::numeric_limits<float>::denorm_min(), 1e-38F, 1e6F}) {
    QuantisedNetwork odd = network();
    odd.weights.tensors["d.weight_scale"] =
        make_tensor_ref("d.weight_scale", {24}, std::vector<float>(24, scale));
    const Graph graph = odd.build(kInput);
    Executor executor = executor_of(graph, kInput, int8()), fp32 = executor_of(graph, kInput, {});
    const std::vector<float> got = run(executor, kInput, noise(kInput));
    for (float value : got) ASSERT_TRUE(std::isfinite(value)) << scale;
    if (scale < 1) test::expect_near(got, run(fp32, kInput, noise(kInput)), 0.1);
  }
}

}  // namespace
}  // namespace atrous
