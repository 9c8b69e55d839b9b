// SPDX-License-Identifier: Apache-2.0
// What must hold for any network: rates are holes in the kernel, and no pass, plan or batch changes a result.
#include <gtest/gtest.h>

#include "config/model_path.h"
#include "config/modules.h"
#include "config/yaml.h"
#include "graph/builder.h"
#include "graph/executor.h"
#include "support/run_network.h"

namespace atrous {
namespace {

using test::expect_near;

std::vector<float> run(const Graph& graph, const Shape& input, const PlanOptions& options = {}) {
  Executor executor(
      std::make_shared<Network>(graph, Shape{1, input.h, input.w, input.c}, make_backend({}), options), 2);
  return test::run(executor, input, test::noise(input, 4));
}

/// The weights of a 3x3 convolution, with `rate - 1` zeros between its taps where a larger kernel is asked
/// for.
class StuffedWeights : public WeightSource {
 public:
  std::optional<TensorRef> find(std::string_view name, const std::vector<std::int64_t>& dims) const override {
    const std::int64_t planes = dims[0] * dims[1], side = dims[2], rate = (side - 1) / 2;
    const std::vector<float> taps =
        Constant{"weight", *RandomWeights(6).find(name, {dims[0], dims[1], 3, 3}), {}}.read_f32();
    std::vector<float> stuffed(static_cast<std::size_t>(planes * side * side));
    for (std::int64_t plane = 0; plane < planes; ++plane)
      for (std::int64_t y = 0; y < 3; ++y)
        for (std::int64_t x = 0; x < 3; ++x)
          stuffed[static_cast<std::size_t>((plane * side + y * rate) * side + x * rate)] =
              taps[static_cast<std::size_t>((plane * 3 + y) * 3 + x)];
    return make_tensor_ref(std::string(name), dims, std::move(stuffed));
  }
  std::string describe() const override { return "stuffed weights"; }
};

class ZeroStuffedKernel : public testing::TestWithParam<int> {};
TEST_P(ZeroStuffedKernel, EqualsTheDilatedOne) {
  const int rate = GetParam();
  const Shape input{1, 27, 45, 6};
  auto network = [&](const std::string& kernel, const std::string& groups) {
    const Expansion e = expand_network(
        parse_yaml(fmt::format("- {{name: a, op: conv2d, out: 6, groups: {}, {}}}", groups, kernel),
                   "n.yaml"),
        "", Value::map({}), {});
    return run(build_graph(e.nodes, e.output, input, StuffedWeights()), input);
  };
  for (const char* groups : {"1", "depthwise"})
    expect_near(network(fmt::format("kernel: 3, dilation: {}", rate), groups),
                network(fmt::format("kernel: {}", 2 * rate + 1), groups), 1e-5F);
}
INSTANTIATE_TEST_SUITE_P(Rates, ZeroStuffedKernel, testing::Values(1, 2, 4, 6, 12, 18, 24, 36));

class ShippedNetwork : public testing::Test {
 protected:
  const ModelConfig config_ = load_model_config(find_model(kDefaultModel), search_folders());
  const Shape input_{1, 49, 65, 3};
  const Graph graph_ = build_graph(config_.nodes, config_.output, input_, RandomWeights(8));
};

TEST_F(ShippedNetwork, PassesAndSharedPoisonedMemoryKeepTheOutput) {
  PlanOptions all;
  all.poison = true;
  const std::vector<float> plain = run(graph_, input_, {false, false, false, false, false});
  expect_near(run(graph_, input_, all), plain, 1e-4F);
  PlanOptions shared{false, false, false, true};
  shared.poison = true;
  EXPECT_EQ(run(graph_, input_, shared), plain) << "where a value lies changes nothing at all";
}

TEST_F(ShippedNetwork, ABatchIsItsImages) {
  const Shape batch{3, input_.h, input_.w, input_.c};
  const auto network = std::make_shared<Network>(graph_, input_, make_backend({}));
  Executor together(network, 2), alone(network, 2);
  const std::vector<float> photos = test::noise(batch, 5), all = test::run(together, batch, photos);
  for (std::int64_t n = 0; n < 3; ++n)
    expect_near(test::run(alone, input_, test::image_of(photos, 3, n)), test::image_of(all, 3, n), 1e-4);
}

}  // namespace
}  // namespace atrous
