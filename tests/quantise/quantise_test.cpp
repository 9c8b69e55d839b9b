// SPDX-License-Identifier: Apache-2.0
#include "quantise/quantise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "quantised_network.h"

namespace atrous {
namespace {

using test::quantise;
using testing::HasSubstr;

constexpr Shape kSmallInput{1, 12, 10, 3};
constexpr const char* kSmallNetwork = R"(
- {name: stem, op: conv2d, out: 16, kernel: 3}
- {name: act, op: relu}
- {name: body, op: conv2d, out: 16, kernel: 3, bias: true}
- {name: norm, op: batch_norm}
- {name: sum, op: add, inputs: [norm, act]}
- {name: mean, op: global_average_pool}
- {name: gate, op: conv2d, out: 16}
- {name: gated, op: mul, inputs: [sum, gate]}
- {name: deep, op: conv2d, kernel: 3, groups: depthwise}
- {name: logits, op: conv2d, out: 4}
)";

std::set<std::string> eight_bit_weights(const test::QuantisedNetwork& network) {
  std::set<std::string> names;
  for (const auto& [name, tensor] : network.weights.tensors)
    if (tensor.dtype == DType::s8) names.insert(name);
  return names;
}

template <typename F>
std::string error_of(F f) {
  try {
    f();
  } catch (const Error& error) {
    return error.message();
  }
  return "no error";
}

TEST(Quantise, LeavesTheFirstAndThoseOfOnePixel) {
  EXPECT_EQ(eight_bit_weights(quantise(kSmallNetwork, kSmallInput)),
            (std::set<std::string>{"body.weight", "deep.weight", "logits.weight"}));
  EXPECT_EQ(eight_bit_weights(quantise(kSmallNetwork, kSmallInput, {"deep", "logits"})),
            std::set<std::string>{"body.weight"});
}

TEST(Quantise, WeightsAreWithinHalfAStep) {
  const test::QuantisedNetwork network = quantise(kSmallNetwork, kSmallInput);
  const RandomWeights source(3);
  const TensorRef& integers = network.weights.tensors.at("body.weight");
  const std::vector<float> scales =
      Constant{"", network.weights.tensors.at("body.weight_scale"), {}}.read_f32();
  const std::vector<float> was = Constant{"", *source.find("body.weight", integers.dims), {}}.read_f32(),
                           is = Constant{"", integers, scales}.read_f32();
  ASSERT_EQ(scales.size(), 16U);
  for (std::size_t i = 0; i < was.size(); ++i) EXPECT_NEAR(is[i], was[i], scales[i / 144] * 0.5001F);
  for (std::size_t o = 0; o < 16; ++o) {
    float largest = 0;
    for (std::size_t i = o * 144; i < (o + 1) * 144; ++i) largest = std::max(largest, std::abs(was[i]));
    EXPECT_FLOAT_EQ(scales[o] * 127, largest);
  }
}

TEST(Quantise, RangesOfWhatIsReadAddedAndJoined) {
  const test::QuantisedNetwork network = quantise(kSmallNetwork, kSmallInput);
  std::set<std::string> with_range;
  for (const NodeSpec& node : network.expansion.nodes)
    if (node.range) with_range.insert(node.name);
  EXPECT_EQ(with_range, (std::set<std::string>{"act", "norm", "gated", "deep"}));
}

TEST(Quantise, SharedWeightsGoTogether) {
  EXPECT_EQ(error_of([&] {
              const Expansion e = expand_network(parse_yaml(R"(
- {name: a, op: conv2d, out: 3, weights: shared}
- {name: b, op: conv2d, out: 3, weights: shared}
- {name: c, op: conv2d, out: 3, weights: shared}
)",
                                                            "net.yaml"),
                                                 "", Value::map({}), {});
              Quantiser(build_graph(e.nodes, e.output, kSmallInput, RandomWeights(3)), kSmallInput, {});
            }),
            "the network has no convolution that gains by 8 bits");
}

TEST(Quantise, RefusesWhatIsQuantisedAlreadyAndUnknownNames) {
  const test::QuantisedNetwork network = quantise(kSmallNetwork, kSmallInput);
  const Graph graph = network.build(kSmallInput);
  EXPECT_EQ(error_of([&] { Quantiser(graph, kSmallInput, {}); }),
            "node 'body': its weights are on 8 bits already");
  EXPECT_THAT(error_of([&] { quantise(kSmallNetwork, kSmallInput, {"act"}); }),
              HasSubstr("no convolution 'act'"));
}

TEST(Quantise, NamesTheNodeThatIsNotFinite) {
  const Expansion e = expand_network(parse_yaml(kSmallNetwork, "net.yaml"), "", Value::map({}), {});
  const auto network =
      std::make_shared<Network>(build_graph(e.nodes, e.output, kSmallInput, RandomWeights(3)), kSmallInput,
                                make_backend({}), test::separate_nodes());
  Quantiser quantiser(network->graph(), kSmallInput, {});
  Executor executor(network, 1);
  executor.set_observer([&](const Node& node, const TensorView& value) { quantiser.observe(node, value); });
  std::vector<float> values = test::noise(kSmallInput);
  values[7] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(error_of([&] { test::run(executor, kSmallInput, values); }), "node 'act' makes NaN or infinity");
}

}  // namespace
}  // namespace atrous
