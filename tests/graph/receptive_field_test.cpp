// SPDX-License-Identifier: Apache-2.0
// What a value sees, against what it does: every column and row of the input is changed, one at a time.
#include "graph/receptive_field.h"

#include <gtest/gtest.h>

#include "config/model_path.h"
#include "graph/builder.h"
#include "graph/executor.h"
#include "graph/passes.h"
#include "support/run_network.h"
#include "support/small_graph.h"
#include "support/zero_weights.h"

namespace atrous {
namespace {

using test::build;

/// The first and the last element of the input's axis that each element of the output's axis depends on.
struct Seen {
  std::vector<std::int64_t> first, last;
};

class Probe {
 public:
  Probe(const Graph& graph, const Shape& input)
      : input_(input), executor_(std::make_shared<Network>(graph, input, make_backend({})), 1) {
    values_ = test::noise(input, 7);
    before_ = test::run(executor_, input_, values_);
    output_ = infer_shapes(graph, input).back();
  }

  Seen look(bool columns) {
    const std::int64_t inputs = columns ? input_.w : input_.h, outputs = columns ? output_.w : output_.h;
    Seen seen{std::vector<std::int64_t>(static_cast<std::size_t>(outputs), inputs),
              std::vector<std::int64_t>(static_cast<std::size_t>(outputs), -1)};
    for (std::int64_t at = 0; at < inputs; ++at) {
      std::vector<float> changed = values_;
      for (std::int64_t i = 0; i < input_.elements(); ++i)
        if ((columns ? i / input_.c % input_.w : i / input_.c / input_.w) == at)
          changed[static_cast<std::size_t>(i)] += 50;  // the largest of any window
      const std::vector<float> after = test::run(executor_, input_, changed);
      for (std::int64_t i = 0; i < output_.elements(); ++i) {
        if (after[static_cast<std::size_t>(i)] == before_[static_cast<std::size_t>(i)]) continue;
        const auto o =
            static_cast<std::size_t>(columns ? i / output_.c % output_.w : i / output_.c / output_.w);
        seen.first[o] = std::min(seen.first[o], at);
        seen.last[o] = std::max(seen.last[o], at);
      }
    }
    return seen;
  }

 private:
  Shape input_, output_;
  Executor executor_;
  std::vector<float> values_, before_;
};

/// Nothing outside the field is seen; where the field lies within the input, both its ends are seen by some
/// element (`tight`: by every one).
void compare(const AxisField& field, const Seen& seen, std::int64_t input, bool tight) {
  double lowest = 1e9, highest = -1e9;
  int within = 0;
  for (std::size_t i = 0; i < seen.first.size(); ++i) {
    const double at = field.stride.value() * static_cast<double>(i);
    ASSERT_GE(static_cast<double>(seen.first[i]), at + field.low) << "element " << i;
    ASSERT_LE(static_cast<double>(seen.last[i]), at + field.high) << "element " << i;
    if (at + field.low < 0 || at + field.high > static_cast<double>(input - 1)) continue;
    ++within;
    if (tight) {
      EXPECT_EQ(static_cast<double>(seen.first[i]), at + field.low) << "element " << i;
      EXPECT_EQ(static_cast<double>(seen.last[i]), at + field.high) << "element " << i;
    }
    lowest = std::min(lowest, static_cast<double>(seen.first[i]) - at);
    highest = std::max(highest, static_cast<double>(seen.last[i]) - at);
  }
  ASSERT_GE(within, 2) << "the input is too small for this test";
  const double slack = tight ? 0 : 2 * field.stride.value() + 2;
  EXPECT_LE(lowest, field.low + slack);
  EXPECT_GE(highest, field.high - slack);
}

struct Case {
  const char* name;
  bool tight;
  double stride;
  const char* yaml;
};

constexpr Case kCases[] = {
    {"atrous", true, 1,
     "- {name: a, op: conv2d, out: 4, kernel: 3, dilation: 6}\n"
     "- {name: b, op: conv2d, out: 2, kernel: [1, 5], dilation: [1, 2]}\n"},
    {"stride_8", true, 8,
     "- {name: a, op: conv2d, out: 4, kernel: 3, stride: 2}\n"
     "- {name: p, op: max_pool, kernel: 3, stride: 2, padding: 1}\n"
     "- {name: b, op: conv2d, out: 4, kernel: 5, stride: 2}\n"
     "- {name: c, op: conv2d, out: 4, kernel: 3, dilation: 2}\n"},
    {"uneven_padding", true, 2,
     "- {name: pad, op: pad, padding: [2, 0, 1, 3]}\n"
     "- {name: a, op: conv2d, out: 4, kernel: 4, stride: 2, padding: 0}\n"
     "- {name: b, op: average_pool, kernel: 2, stride: 1, padding: [1, 0, 0, 1]}\n"},
    {"shortcut", true, 4,
     "- {name: a, op: conv2d, out: 4, kernel: 3, stride: 2}\n"
     "- {name: b, op: conv2d, out: 6, kernel: 3, stride: 2}\n"
     "- {name: c, op: conv2d, out: 6, kernel: 3, dilation: 3}\n"
     "- {name: d, op: conv2d, out: 6, kernel: 1, stride: 2, input: a}\n"
     "- {name: sum, op: add, inputs: [c, d]}\n"
     "- {name: e, op: conv2d, out: 6, kernel: 3, groups: depthwise}\n"
     "- {name: both, op: concat, inputs: [e, b]}\n"},
    {"same_padding", false, 4,
     "- {name: a, op: conv2d, out: 4, kernel: 3, stride: 2, padding: same}\n"
     "- {name: b, op: conv2d, out: 4, kernel: 4, stride: 2, padding: same}\n"},
    {"decoder", false, 2,
     "- {name: a, op: conv2d, out: 4, kernel: 3, stride: 2}\n"
     "- {name: b, op: conv2d, out: 4, kernel: 3, stride: 2}\n"
     "- {name: c, op: conv2d, out: 4, kernel: 3, stride: 2, dilation: 2}\n"
     "- {name: up, op: resize, like: true, inputs: [c, a]}\n"
     "- {name: both, op: concat, inputs: [up, a]}\n"
     "- {name: d, op: conv2d, out: 2, kernel: 3}\n"},
    {"scaled", false, 0.5,
     "- {name: a, op: conv2d, out: 4, kernel: 3, stride: 3, dilation: 2}\n"
     "- {name: up, op: resize, scale: 6, mode: nearest}\n"},
    {"interp", false, 4,
     "- {name: small, op: resize, shrink: 4, zoom: 3, coordinates: align_corners}\n"
     "- {name: a, op: conv2d, out: 4, kernel: 3, stride: 4}\n"
     "- {name: back, op: resize, shrink: 3, zoom: 4, coordinates: align_corners}\n"},
};

class Fields : public testing::TestWithParam<Case> {};
TEST_P(Fields, AreWhatAnOutputDependsOn) {
  // extents that every stride and resize divides: multiples, or one more where corners are aligned
  const std::int64_t corner = std::string_view(GetParam().name) == "interp" ? 1 : 0;
  const Shape input{1, 96 + corner, 144 + corner, 2};
  const Graph graph = build(GetParam().yaml, input);
  const ReceptiveFields fields = receptive_fields(graph);
  ASSERT_EQ(fields.refusal, "");
  const ReceptiveField& field = fields.values.back();
  EXPECT_EQ(field.rows.stride.value(), GetParam().stride);
  EXPECT_EQ(field.columns.stride.value(), GetParam().stride);
  EXPECT_FALSE(field.global || field.fixed);
  Probe probe(graph, input);
  compare(field.columns, probe.look(true), input.w, GetParam().tight);
  compare(field.rows, probe.look(false), input.h, GetParam().tight);
}
INSTANTIATE_TEST_SUITE_P(Networks, Fields, testing::ValuesIn(kCases),
                         [](const auto& test) { return test.param.name; });

TEST(Field, PeriodIsThatOfAllStrides) {
  const Graph graph = build(
      "- {name: a, op: conv2d, out: 4, kernel: 3, stride: [4, 2]}\n"
      "- {name: small, op: resize, shrink: 4, zoom: 3, coordinates: align_corners, input: input}\n"
      "- {name: b, op: conv2d, out: 4, kernel: 3, stride: 4}\n",
      {1, 65, 65, 3});
  const ReceptiveFields fields = receptive_fields(graph);
  EXPECT_EQ(fields.row_period, 16);  // a stride of 4 * 4/3
  EXPECT_EQ(fields.column_period, 16);
  EXPECT_EQ(fields.values[3].rows.stride, Ratio(16, 3));
}

TEST(Field, PoolingOverTheMapIsGlobalAndStaysSo) {
  for (const char* pool : {"op: global_average_pool", "op: adaptive_max_pool, bins: 2", "op: reduce_mean"}) {
    const Graph graph = build(fmt::format("- {{name: a, op: conv2d, out: 4, kernel: 3, stride: 2}}\n"
                                          "- {{name: mean, {}}}\n"
                                          "- {{name: wide, op: resize, like: true, inputs: [mean, a]}}\n"
                                          "- {{name: both, op: concat, inputs: [wide, a]}}\n"
                                          "- {{name: b, op: conv2d, out: 4, kernel: 3}}\n",
                                          pool),
                              {1, 32, 32, 3});
    const ReceptiveFields fields = receptive_fields(graph);
    ASSERT_EQ(fields.refusal, "");
    EXPECT_FALSE(fields.values[1].global);
    EXPECT_TRUE(fields.values[2].global && fields.values[2].fixed);
    EXPECT_TRUE(fields.values[5].global && !fields.values[5].fixed);
    EXPECT_EQ(fields.values[5].columns.low, -3);  // of what is not pooled
    EXPECT_EQ(fields.values[5].columns.high, 3);
  }
}

TEST(Field, WhatNoWindowCanStandForIsNamed) {
  constexpr std::pair<const char*, const char*> kRefused[] = {
      {"- {name: cut, op: slice, axis: width, begin: 3}\n", "node 'cut' cuts rows or columns"},
      {"- {name: dense, op: fully_connected, out: 3}\n", "node 'dense' is a fully connected layer"},
      {"- {name: to, op: resize, size: [8, 9]}\n", "node 'to' makes a map of 9x8"},
      {"- {name: to, op: resize, scale: 0.739}\n", "node 'to' resizes by 0.739"}};
  for (const auto& [yaml, refusal] : kRefused) {
    const ReceptiveFields fields = receptive_fields(build(yaml, {1, 16, 16, 3}));
    EXPECT_NE(fields.refusal.find(refusal), std::string::npos) << fields.refusal;
  }
  std::string zooms;  // 1024 times 1024 times ... overflows
  for (int i = 0; i < 8; ++i)
    zooms += fmt::format(
        "- {{name: up{0}, op: resize, scale: 1024}}\n"
        "- {{name: down{0}, op: average_pool, kernel: 1024}}\n",
        i);
  EXPECT_EQ(receptive_fields(build(zooms, {1, 1, 1, 3})).refusal,
            "node 'up2' has a stride that no window can follow");
  const std::string uneven =
      "- {name: a, op: max_pool, kernel: 1, stride: [1024, 729]}\n"
      "- {name: b, op: max_pool, kernel: 1, stride: [1024, 729]}\n";
  EXPECT_EQ(receptive_fields(build(uneven, {1, 1, 1, 3})).refusal,
            "node 'b' has a stride that no window can follow");
}

TEST(Field, PassesDoNotChangeIt) {
  const ModelConfig config = load_model_config(find_model("deeplabv2_vgg16_aspp_l"), search_folders());
  const Shape input{1, 65, 65, 3};
  const Graph graph = build_graph(config.nodes, config.output, input, test::ZeroWeights());
  const AxisField plain = receptive_fields(graph).values.back().rows;
  for (const Graph& other : {fuse_pyramids(fuse_epilogues(fold_affine(drop_identities(graph)), input)),
                             fuse_separables(fuse_epilogues(drop_identities(graph), input))}) {
    const AxisField rows = receptive_fields(other).values.back().rows;
    EXPECT_EQ(rows.stride, plain.stride);
    EXPECT_EQ(rows.low, plain.low);
    EXPECT_EQ(rows.high, plain.high);
  }
  EXPECT_EQ(plain.stride, Ratio(8, 1));
  // the half-width is the sum of rate * stride over 3x3 windows: conv1, pool1, conv2, pool2, conv3, pool3,
  // conv4, pool4, conv5 of rate 2, pool5 and the branch of rate 24
  constexpr double kHalf = 2 * 1 + 1 + 2 * 2 + 2 + 3 * 4 + 4 + 3 * 8 + 8 + 3 * 16 + 8 + 24 * 8;
  EXPECT_EQ(plain.low, -kHalf);
  EXPECT_EQ(plain.high, kHalf);
}

TEST(Field, ResizesAreAlikeWhereExtentsAre) {
  const std::string decoder =
      "- {name: a, op: conv2d, out: 4, kernel: 3, stride: 2}\n"
      "- {name: b, op: conv2d, out: 4, kernel: 3, stride: 4}\n"
      "- {name: up, op: resize, like: true, inputs: [b, a]%}\n";
  auto alike = [&](const std::string& keys, std::int64_t a, std::int64_t b) {
    std::string yaml = decoder;
    yaml.replace(yaml.find('%'), 1, keys);
    const Graph graph = build(yaml, {1, 32, 32, 3});
    return resizes_alike(graph, receptive_fields(graph), {1, a, 64, 3}, {1, b, 64, 3});
  };
  EXPECT_TRUE(alike("", 64, 32));
  EXPECT_FALSE(alike("", 65, 33));
  EXPECT_TRUE(alike(", coordinates: align_corners", 65, 33));
  EXPECT_FALSE(alike(", coordinates: align_corners", 64, 32));
}

}  // namespace
}  // namespace atrous
