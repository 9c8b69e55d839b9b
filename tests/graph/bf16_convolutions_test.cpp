// SPDX-License-Identifier: Apache-2.0
// Networks whose convolutions read and write bf16 while the rest is f32.
#include <gtest/gtest.h>

#include <algorithm>

#include "graph/passes.h"
#include "support/run_network.h"
#include "support/small_graph.h"

namespace atrous {
namespace {

constexpr Shape kPhoto{2, 21, 18, 3};
/// A residual, a pool between, a depthwise and a grouped convolution, a concatenation, a pooled branch.
constexpr const char* kMixed = R"(
- {name: stem, op: conv2d, out: 24, kernel: 3, stride: 2, bias: true}
- {name: stem_relu, op: relu}
- {name: left, op: conv2d, out: 24, kernel: 3, dilation: 2}
- {name: sum, op: add, inputs: [left, stem_relu]}
- {name: pool, op: max_pool, kernel: 3, padding: 1}
- {name: depthwise, op: conv2d, kernel: 3, groups: depthwise, dilation: 2}
- {name: grouped, op: conv2d, out: 12, kernel: 3, groups: 3, inputs: [depthwise]}
- {name: mean, op: global_average_pool, inputs: [sum]}
- {name: squeezed, op: conv2d, out: 8, inputs: [mean]}
- {name: spread, op: resize, like: true, inputs: [squeezed, sum]}
- {name: all, op: concat, inputs: [sum, grouped, spread]}
- {name: logits, op: conv2d, out: 5, bias: true}
)";

class Bf16Convolutions : public testing::Test {
 protected:
  void SetUp() override {
    const std::string reason = make_backend({})->refuse_convolutions(DType::bf16);
    if (!reason.empty()) GTEST_SKIP() << "cpu " << reason;
  }
  static std::vector<float> run(DType convolutions, int threads = 2, bool poison = false) {
    PlanOptions options;
    options.convolutions = convolutions;
    options.poison = poison;
    Executor executor(
        std::make_shared<Network>(test::build(kMixed, kPhoto), kPhoto, make_backend({}), options), threads);
    return test::run(executor, kPhoto, test::noise(kPhoto));
  }
};

TEST_F(Bf16Convolutions, StayNearF32) {
  const std::vector<float> wanted = run(DType::f32), got = run(DType::bf16);
  test::expect_near(got, wanted, 0.03);
  EXPECT_NE(got, wanted);
}

TEST_F(Bf16Convolutions, RepeatForAnyNumberOfThreadsAndDirtyMemory) {
  const std::vector<float> wanted = run(DType::bf16, 1);
  EXPECT_EQ(run(DType::bf16, 3), wanted);
  EXPECT_EQ(run(DType::bf16, 2, true), wanted);
}

TEST(NarrowConvolutions, ConvertWhereTypesMeet) {
  const Graph graph = narrow_convolutions(fuse_epilogues(test::build(kMixed, kPhoto), kPhoto), DType::bf16);
  std::vector<std::string> narrow, converts;
  for (const Node& node : graph.nodes()) {
    if (node.kind() == OpKind::convert)
      converts.push_back(node.name);
    else if (node.quantised)
      narrow.push_back(node.name);
  }
  const auto sorted = [](std::vector<std::string> names) {
    std::sort(names.begin(), names.end());
    return names;
  };
  EXPECT_EQ(sorted(narrow), (std::vector<std::string>{"all", "depthwise", "grouped"}));
  EXPECT_EQ(sorted(converts),
            (std::vector<std::string>{"left.bf16", "mean.bf16", "pool.bf16", "spread.bf16", "stem.bf16"}));
}

}  // namespace
}  // namespace atrous
