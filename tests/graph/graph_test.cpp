// SPDX-License-Identifier: Apache-2.0
// Builder, passes, memory planner, plan and executor, on small networks written as YAML.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "config/modules.h"
#include "config/yaml.h"
#include "graph/builder.h"
#include "graph/executor.h"
#include "graph/memory_planner.h"
#include "graph/passes.h"
#include "support/allocations.h"
#include "support/run_network.h"
#include "support/small_graph.h"

namespace atrous {
namespace {

using test::expect_near;
using test::noise;
using test::run;

constexpr const char* kPyramid = R"(
- {name: stem, op: conv2d, out: 8, kernel: 3, stride: 2}
- {name: bn, op: batch_norm}
- {name: relu, op: relu}
- {name: keep, op: dropout}
- {name: a, op: conv2d, out: 6, kernel: 3, dilation: 2, input: keep}
- {name: a_relu, op: relu6}
- {name: b, op: conv2d, out: 5, kernel: 1, bias: true, input: keep}
- {name: mean, op: global_average_pool, input: keep}
- {name: wide, op: resize, like: true, inputs: [mean, keep]}
- {name: joined, op: concat, inputs: [a_relu, b, wide]}
- {name: low, op: conv2d, out: 19, kernel: 3, input: keep}
- {name: sum, op: add, inputs: [low, joined]}
- {name: act, op: hardswish}
- {name: scaled, op: mul, scalar: 0.5}
- {name: unused, op: conv2d, out: 4}
- {name: again, op: concat, inputs: [act, joined]}
- {name: depth, op: conv2d, kernel: 3, groups: depthwise, dilation: 3}
- {name: depth_bn, op: batch_norm}
- {name: twice, op: mul, scalar: 2}
- {name: logits, op: conv2d, out: 4, bias: true}
)";

using test::build;

std::vector<float> run_with(const Graph& graph, const Shape& input, const PlanOptions& options) {
  Executor executor(std::make_shared<Network>(graph, input, make_backend({}), options), 2);
  return run(executor, input, noise(input));
}

constexpr Shape kInput{1, 21, 25, 3};

class Passes : public testing::TestWithParam<int> {};
TEST_P(Passes, KeepTheOutputs) {
  const Graph graph = build(kPyramid, kInput);
  const PlanOptions plain{false, false, false, false, false};
  PlanOptions one = plain;
  bool* const options[] = {&one.fold_batch_norm, &one.fuse, &one.concat_in_place, &one.reuse_memory};
  *options[GetParam()] = true;
  one.poison = true;
  expect_near(run_with(graph, kInput, one), run_with(graph, kInput, plain), 2e-5F);
}
INSTANTIATE_TEST_SUITE_P(EachAlone, Passes, testing::Range(0, 4));

TEST(Passes, AllTogetherOnAPoisonedArenaKeepTheOutputs) {
  const Graph graph = build(kPyramid, kInput);
  PlanOptions all;
  all.poison = true;
  expect_near(run_with(graph, kInput, all), run_with(graph, kInput, {false, false, false, false, false}),
              2e-5F);
}

TEST(Passes, LeaveTheNodesTheyShould) {
  const Graph graph = build(kPyramid, kInput);
  auto count = [](const Graph& g, OpKind kind) {
    return std::count_if(g.nodes().begin(), g.nodes().end(), [&](const Node& n) { return n.kind() == kind; });
  };
  EXPECT_EQ(count(graph, OpKind::conv2d), 7);
  EXPECT_EQ(count(drop_identities(graph), OpKind::conv2d), 6) << "all but 'unused'";
  EXPECT_EQ(count(drop_identities(graph), OpKind::identity), 0);
  const Graph folded = fold_affine(drop_identities(graph));
  EXPECT_EQ(count(folded, OpKind::batch_norm), 0);
  const Graph fused = fuse_epilogues(folded, kInput);
  EXPECT_EQ(count(fused, OpKind::activation), 0);
  EXPECT_EQ(count(fused, OpKind::binary), 0)
      << "the residual add is part of 'low', the scalar ones of others";
}

TEST(Passes, MakePyramidsOfNeighboursAndOfSums) {
  const Graph graph = build(R"(
- {name: stem, op: conv2d, out: 8}
- {name: a, op: conv2d, out: 4, input: stem}
- {name: b, op: conv2d, out: 5, kernel: 3, dilation: 2, input: stem}
- {name: b_relu, op: relu}
- {name: other, op: conv2d, out: 2, kernel: 3, input: input}
- {name: c, op: conv2d, out: 3, kernel: 3, dilation: 6, input: stem}
- {name: joined, op: concat, inputs: [a, b_relu, other, c]}
- {name: s1, op: conv2d, out: 6, kernel: 3, dilation: 2, input: stem}
- {name: s2, op: conv2d, out: 6, kernel: 3, dilation: 4, input: stem}
- {name: s3, op: conv2d, out: 6, kernel: 3, dilation: 6, input: stem}
- {name: sum12, op: add, inputs: [s1, s2]}
- {name: sum, op: add, inputs: [sum12, s3]}
- {name: out, op: concat, inputs: [joined, sum]}
)",
                            kInput);
  const Graph fused = fuse_pyramids(fuse_epilogues(graph, kInput));
  std::vector<PyramidParams> pyramids;
  for (const Node& node : fused.nodes())
    if (const auto* pyramid = std::get_if<PyramidParams>(&node.params)) pyramids.push_back(*pyramid);
  ASSERT_EQ(pyramids.size(), 2U) << "'c' has no neighbour of the same input";
  EXPECT_FALSE(pyramids[0].sum);
  ASSERT_EQ(pyramids[0].branches.size(), 2U);
  EXPECT_EQ(pyramids[0].branches[1].activation.kind, ActivationKind::relu);
  EXPECT_TRUE(pyramids[1].sum);
  EXPECT_EQ(pyramids[1].branches.size(), 3U);
  EXPECT_EQ(infer_shapes(fused, kInput).back(), infer_shapes(graph, kInput).back());
}

TEST(Passes, MakeOneNodeOfADepthwiseAndA1x1Convolution) {
  const Graph graph = build(R"(
- {name: stem, op: conv2d, out: 8}
- {name: d1, op: conv2d, kernel: 5, stride: 2, groups: depthwise}
- {name: d1_bn, op: batch_norm}
- {name: d1_relu, op: relu6}
- {name: p1, op: conv2d, out: 6, bias: true}
- {name: d2, op: conv2d, out: 6, groups: 6, kernel: 3, dilation: 2}
- {name: p2, op: conv2d, out: 6}
- {name: sum, op: add, inputs: [p1, p2]}
- {name: twice, op: conv2d, kernel: 3, groups: depthwise}
- {name: p3, op: conv2d, out: 3, input: twice}
- {name: d4, op: conv2d, out: 6, groups: 3, kernel: 3, input: twice}
- {name: p4, op: conv2d, out: 3}
- {name: d5, op: conv2d, kernel: 3, groups: depthwise, input: sum}
- {name: wide, op: conv2d, out: 3, kernel: 3}
- {name: d6, op: conv2d, kernel: 3, groups: depthwise, input: sum}
- {name: strided, op: conv2d, out: 3, stride: 2}
- {name: small, op: resize, like: true, inputs: [strided, wide]}
- {name: out, op: concat, inputs: [p3, p4, wide, small]}
)",
                            kInput);
  const Graph fused = fuse_separables(fuse_epilogues(fold_affine(graph), kInput));
  std::vector<std::string> names;
  for (const Node& node : fused.nodes())
    if (node.kind() == OpKind::separable) names.push_back(node.name);
  EXPECT_EQ(names, (std::vector<std::string>{"p1", "p2"}))
      << "'twice' has two readers, d4 is grouped, 'wide' is no 1x1 convolution, 'strided' skips pixels";
  const Node& first = fused.node(2);
  const auto& pair = std::get<SeparableParams>(first.params);
  EXPECT_EQ(pair.depthwise.activation.kind, ActivationKind::relu6);
  std::vector<std::string> constants;
  for (const Constant& constant : first.constants) constants.push_back(constant.name);
  EXPECT_EQ(constants, (std::vector<std::string>{"depthwise.weight", "depthwise.bias", "pointwise.weight",
                                                 "pointwise.bias"}));
  EXPECT_TRUE(std::get<SeparableParams>(fused.node(3).params).pointwise.has_residual);
  EXPECT_EQ(fused.node(3).inputs.size(), 2U);
  EXPECT_EQ(infer_shapes(fused, kInput).back(), infer_shapes(graph, kInput).back());
}

TEST(Passes, MakeImagePoolingABranch) {
  auto pyramids = [](const std::string& mean, const std::string& resize) {
    const Graph graph = build(R"(
- {name: stem, op: conv2d, out: 8}
- {name: mean, op: )" + mean + R"(}
- {name: one, op: conv2d, out: 4}
- {name: one_relu, op: relu}
- {name: wide, op: resize, )" + resize +
                                  R"(}
- {name: a, op: conv2d, out: 4, input: stem}
- {name: b, op: conv2d, out: 5, kernel: 3, dilation: 2, input: stem}
- {name: joined, op: concat, inputs: [wide, a, b]}
)",
                              kInput);
    const Graph fused = fuse_pyramids(fuse_epilogues(graph, kInput));
    EXPECT_EQ(infer_shapes(fused, kInput).back(), infer_shapes(graph, kInput).back());
    std::vector<PyramidParams> found;
    for (const Node& node : fused.nodes())
      if (const auto* pyramid = std::get_if<PyramidParams>(&node.params)) found.push_back(*pyramid);
    return found;
  };
  const std::string like = "like: true, inputs: [one_relu, stem]";
  for (const char* mean : {"global_average_pool", "reduce_mean"}) {
    const std::vector<PyramidParams> fused = pyramids(mean, like);
    ASSERT_EQ(fused.size(), 1U) << mean;
    ASSERT_EQ(fused[0].branches.size(), 3U) << mean;
    EXPECT_EQ(fused[0].pooled, 0) << mean;
    EXPECT_EQ(fused[0].branches[0].activation.kind, ActivationKind::relu) << mean;
  }
  auto only_convolutions = [](const std::vector<PyramidParams>& found) {
    return found.size() == 1 && found[0].branches.size() == 2 && found[0].pooled == -1;
  };
  EXPECT_TRUE(only_convolutions(pyramids("global_max_pool", like)));
  EXPECT_TRUE(only_convolutions(pyramids("global_average_pool", "like: true, inputs: [one_relu, input]")));
  EXPECT_TRUE(only_convolutions(pyramids("global_average_pool", "size: [21, 25], input: one_relu")));
}

TEST(Passes, DoNotFuseWhatBroadcastsOrIsReadTwice) {
  const Graph graph = build(R"(
- {name: a, op: conv2d, out: 4}
- {name: mean, op: global_average_pool}
- {name: sum, op: add, inputs: [a, mean]}
- {name: relu, op: relu, input: a}
- {name: out, op: concat, inputs: [sum, relu]}
)",
                            kInput);
  const Graph fused = fuse_epilogues(fold_affine(graph), kInput);
  EXPECT_EQ(fused.size(), graph.size());
}

TEST(Builder, NamesPlaceNodeAndReason) {
  auto message = [](const std::string& yaml, const WeightSource& weights = RandomWeights(1)) {
    try {
      const Expansion e = expand_network(parse_yaml(yaml, "net.yaml"), "", Value::map({}), {});
      build_graph(e.nodes, e.output, kInput, weights);
    } catch (const Error& error) {
      return error.message();
    }
    return std::string("no error");
  };
  EXPECT_EQ(message("- {name: a, op: conv3d, out: 4}"),
            "net.yaml:1: node 'a': unknown operator 'conv3d' (did you mean 'conv2d'?)");
  EXPECT_EQ(message("- {name: a, op: conv2d, out: 4}\n- {name: b, op: relu, slop: 3}"),
            "net.yaml:2: node 'b': unknown key 'slop'");
  EXPECT_EQ(message("- {name: a, op: conv2d}"), "net.yaml:1: node 'a': 'out' is missing");
  EXPECT_EQ(message("- {name: a, op: conv2d, out: 4, kernel: 99, padding: 0}"),
            "net.yaml:1: node 'a': a window of 99 elements does not fit into 21 (padding included)");
  EXPECT_EQ(
      message("- {name: a, op: conv2d, out: 4, stride: 2}\n- {name: c, op: concat, inputs: [a, input]}"),
      "net.yaml:2: node 'c': inputs [1,11,13,4] and [1,21,25,3] differ in more than channels");
  struct Empty : WeightSource {
    std::optional<TensorRef> find(std::string_view, const std::vector<std::int64_t>&) const override {
      return std::nullopt;
    }
    std::string describe() const override { return "w.safetensors"; }
  };
  EXPECT_EQ(message("- {name: a, op: conv2d, out: 4}", Empty()),
            "net.yaml:1: node 'a': w.safetensors has no tensor 'a.weight'");
  struct Wrong : WeightSource {
    float value = 1;
    std::optional<TensorRef> find(std::string_view name,
                                  const std::vector<std::int64_t>& dims) const override {
      std::vector<std::int64_t> other = dims;
      if (!std::isnan(value)) other.back() += 1;
      std::size_t count = 1;
      for (std::int64_t d : other) count *= static_cast<std::size_t>(d);
      return make_tensor_ref(std::string(name), other, std::vector<float>(count, value));
    }
    std::string describe() const override { return "w.safetensors"; }
  };
  EXPECT_EQ(
      message("- {name: a, op: conv2d, out: 4}", Wrong()),
      "net.yaml:1: node 'a': tensor 'a.weight' of w.safetensors is [4,3,1,2], the node needs [4,3,1,1]");
  Wrong nan;
  nan.value = NAN;
  EXPECT_EQ(message("- {name: a, op: conv2d, out: 4}", nan),
            "net.yaml:1: node 'a': tensor 'a.weight' of w.safetensors holds NaN or infinity (element 0)");
}

TEST(MemoryPlanner, NeverOverlapsWhatIsAliveTogether) {
  std::mt19937 generator(11);
  for (int round = 0; round < 200; ++round) {
    std::vector<Lifetime> blocks;
    std::size_t total = 0, peak = 0;
    for (unsigned i = 0; i < 1 + generator() % 40U; ++i) {
      const int first = static_cast<int>(generator() % 30U);
      blocks.push_back({generator() % 5000U, first, first + static_cast<int>(generator() % 10U)});
      total += (blocks.back().bytes + 63) / 64 * 64;
    }
    const MemoryPlan plan = plan_memory(blocks);
    for (int step = 0; step < 40; ++step) {
      std::size_t alive = 0;
      for (const Lifetime& b : blocks) alive += b.first <= step && step <= b.last ? b.bytes : 0;
      peak = std::max(peak, alive);
    }
    EXPECT_GE(plan.arena_bytes, peak);
    EXPECT_LE(plan.arena_bytes, total);
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      EXPECT_EQ(plan.offsets[i] % 64, 0U);
      EXPECT_LE(plan.offsets[i] + blocks[i].bytes, plan.arena_bytes);
      for (std::size_t j = 0; j < i; ++j) {
        const bool together = blocks[i].first <= blocks[j].last && blocks[j].first <= blocks[i].last;
        const bool overlap = plan.offsets[i] < plan.offsets[j] + blocks[j].bytes &&
                             plan.offsets[j] < plan.offsets[i] + blocks[i].bytes;
        EXPECT_FALSE(together && overlap && blocks[i].bytes > 0 && blocks[j].bytes > 0);
      }
    }
  }
}

TEST(Plan, SharesMemoryAndWritesConcatsInPlace) {
  const Graph graph = build(kPyramid, kInput);
  Executor executor(std::make_shared<Network>(graph, kInput, make_backend({})), 1);
  run(executor, kInput, noise(kInput));
  EXPECT_LT(executor.plan().arena_bytes, executor.plan().unshared_bytes);
  const Graph& optimised = graph;
  EXPECT_LT(executor.plan().steps.size(), static_cast<std::size_t>(optimised.size()));
  for (const Step& step : executor.plan().steps) EXPECT_NE(step.implementation, "");
}

constexpr const char* kResiduals = R"(
- {name: a, op: conv2d, out: 16, kernel: 3}
- {name: b, op: conv2d, out: 24}
- {name: over_a, op: conv2d, out: 16, kernel: 3}
- {name: sum, op: add, inputs: [over_a, a]}
- {name: c, op: conv2d, out: 16, kernel: 3}
- {name: over_sum, op: conv2d, out: 16}
- {name: sum_2, op: add, inputs: [over_sum, sum]}
- {name: reads_it_too, op: conv2d, out: 16, kernel: 3}
- {name: sum_3, op: add, inputs: [reads_it_too, sum_2]}
- {name: d, op: conv2d, out: 24}
- {name: others_read_it, op: conv2d, out: 16}
- {name: sum_4, op: add, inputs: [others_read_it, sum_3]}
- {name: over_sum_3, op: conv2d, out: 16, kernel: 3}
- {name: sum_5, op: add, inputs: [over_sum_3, sum_3]}
)";

TEST(Plan, WritesOverResidualsThatNothingElseNeeds) {
  const Graph graph = build(kResiduals, kInput);
  PlanOptions poisoned;
  poisoned.poison = true;
  const auto network = std::make_shared<Network>(graph, kInput, make_backend({}), poisoned);
  Executor executor(network, 2);
  const std::vector<float> values = run(executor, kInput, noise(kInput));
  PlanOptions fresh;
  fresh.reuse_memory = false;
  EXPECT_EQ(values, run_with(graph, kInput, fresh));
  std::vector<std::string> over;  // convolutions whose output lies where their residual lies
  for (const Node& node : network->graph().nodes())
    if (node.inputs.size() == 2 && node.kind() == OpKind::conv2d) {
      const auto& placed = executor.plan().values;
      const auto self = static_cast<std::size_t>(&node - network->graph().nodes().data());
      const Placement& residual = placed[static_cast<std::size_t>(node.inputs[1])];
      EXPECT_EQ(placed[self].bytes == 0 && placed[self].desc.is_dense(),
                placed[self].offset == residual.offset);
      if (placed[self].offset == residual.offset) over.push_back(node.name);
    }
  EXPECT_EQ(over, (std::vector<std::string>{"over_a", "over_sum", "over_sum_3"}));
}

/// Allocations of one run after the first.
std::size_t allocations_of_a_run(Executor& executor) {
  run(executor, kInput, noise(kInput));
  const std::size_t before = test::allocations();
  executor.prepare(kInput);
  executor.run();
  return test::allocations() - before;
}

TEST(Executor, SecondRunAllocatesNothing) {
  const Graph graph = build(R"(
- {name: bn, op: batch_norm}
- {name: act, op: hardswish}
- {name: pool, op: max_pool, kernel: 3, stride: 2}
- {name: up, op: resize, like: true, inputs: [pool, act]}
- {name: joined, op: concat, inputs: [act, up, input]}
- {name: mean, op: global_average_pool}
- {name: sum, op: add, inputs: [joined, mean]}
- {name: lrn, op: lrn}
- {name: cut, op: slice, end: 5}
- {name: pad, op: pad, padding: 2}
- {name: out, op: softmax}
)",
                            kInput);
  Executor executor(std::make_shared<Network>(graph, kInput, make_backend({})), 1);
  EXPECT_EQ(allocations_of_a_run(executor), 0U);
}

/// oneDNN's own execute() makes a table of its arguments, and its depthwise form on AVX2 another list;
/// besides that nothing may be allocated.
TEST(Executor, ConvolutionsAllocateOnlyInsideOnednn) {
  Executor executor(std::make_shared<Network>(build("- {name: a, op: conv2d, out: 4, bias: true}", kInput),
                                              kInput, make_backend({})),
                    1);
  const std::size_t one = allocations_of_a_run(executor);
  Executor pyramid(std::make_shared<Network>(build(kPyramid, kInput), kInput, make_backend({})), 1);
  EXPECT_LE(allocations_of_a_run(pyramid), 6 * (one + 1));
}

TEST(Executor, BatchEqualsSinglesAndShapesMayAlternate) {
  const auto network = std::make_shared<Network>(build(kPyramid, kInput), kInput, make_backend({}));
  Executor executor(network, 2), other(network, 1);
  const Shape batch{3, 21, 25, 3}, large{1, 40, 31, 3};
  const std::vector<float> images = noise(batch), together = run(executor, batch, images);
  const std::vector<float> first_large = run(executor, large, noise(large));
  for (std::int64_t i = 0; i < 3; ++i)
    expect_near(run(other, kInput, test::image_of(images, 3, i)), test::image_of(together, 3, i), 1e-5);
  EXPECT_EQ(run(executor, batch, images), together);
  EXPECT_EQ(run(executor, large, noise(large)), first_large);
}

TEST(Executor, MayBeProfiledFromAnyRunOn) {
  Executor executor(std::make_shared<Network>(build(kPyramid, kInput), kInput, make_backend({})), 1);
  executor.prepare(kInput);
  executor.run();
  EXPECT_TRUE(executor.step_seconds().empty());
  executor.set_profiling(true);
  executor.run();
  EXPECT_EQ(executor.step_seconds().size(), executor.plan().steps.size());
}

TEST(Executor, ThreadsDoNotChangeTheResult) {
  const auto network = std::make_shared<Network>(build(kPyramid, kInput), kInput, make_backend({}));
  Executor one(network, 1), three(network, 3);
  EXPECT_EQ(run(one, kInput, noise(kInput)), run(three, kInput, noise(kInput)));
}

}  // namespace
}  // namespace atrous
