// SPDX-License-Identifier: Apache-2.0
// The GPU benchmark's parts on the emulated device: its numbers mean nothing here, its lines do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "config/modules.h"
#include "core/error.h"
#include "gpu_suite.h"
#include "support/backend_under_test.h"

namespace atrous::bench {
namespace {

using Json = nlohmann::ordered_json;

std::vector<BenchNetwork> networks() {
  std::ifstream file(ATROUS_GPU_NETWORKS);
  return read_networks({std::istreambuf_iterator<char>(file), {}});
}

struct Collected {
  std::vector<Json> lines;
  std::unique_ptr<Suite> suite;

  explicit Collected(const std::string& groups = "") {
    Suite::Options options;
    options.groups = groups;
    options.budget_ms = 0;
    suite = std::make_unique<Suite>(test::backend_under_test().backend, options,
                                    [this](const Json& line) { lines.push_back(line); });
  }
  std::set<std::string> all(const std::string& kind, const std::string& key) const {
    std::set<std::string> values;
    for (const Json& line : lines)
      if (line["kind"] == kind) values.insert(line[key].get<std::string>());
    return values;
  }
};

Conv2dParams conv(int oc, int rate) {
  Conv2dParams p;
  p.oc = oc, p.kh = p.kw = 3, p.dh = p.dw = rate;
  p.padding = {false, rate, rate, rate, rate};
  return p;
}

TEST(GpuBench, ExportedNetworksBuildAndHoldEveryKindOfCase) {
  std::vector<OperatorCase> cases;
  const std::vector<BenchNetwork> all = networks();
  ASSERT_GE(all.size(), 8U);
  for (const BenchNetwork& network : all)
    if (network.group != "network") collect(build(network), network.inputs[0], network.name, cases);
  std::set<std::string> groups, names;
  for (const OperatorCase& c : cases) {
    groups.insert(c.group);
    EXPECT_TRUE(names.insert(c.name).second) << c.name;
    EXPECT_FALSE(c.used_in.empty());
  }
  EXPECT_THAT(groups, testing::IsSupersetOf({"conv", "depthwise", "pool", "resize"}));
}

TEST(GpuBench, TextHoldsANetworkAsItIs) {
  const BenchNetwork network = networks().back();
  const std::string text = Json::array({to_json(network)}).dump();
  EXPECT_EQ(Json::array({to_json(read_networks(text).front())}).dump(), text);
  EXPECT_THROW(read_networks("[{}]"), std::exception);
  EXPECT_THROW(value_of(Json(3)), Error);
}

TEST(GpuBench, AnOperatorIsTimedByEveryImplementationThatAccepts) {
  Collected collected;
  collected.suite->run_operator({"conv", "a conv", conv(8, 2), {{1, 5, 5, 8}}, {"net"}});
  EXPECT_THAT(collected.all("case", "implementation"), testing::IsSupersetOf({"implicit_gemm", "direct"}));
  EXPECT_THAT(collected.all("refusal", "implementation"), testing::IsSupersetOf({"cudnn", "depthwise"}));
  for (const Json& line : collected.lines)
    if (line["kind"] == "case") {
      EXPECT_GT(line["median_us"], 0);
      EXPECT_LE(line["low_us"], line["median_us"]);
      EXPECT_LE(line["median_us"], line["high_us"]);
      EXPECT_EQ(line["flops"], 2.0 * 25 * 8 * 8 * 9);
      EXPECT_EQ(line["bytes"], 2.0 * (25 * 8 * 2 + 8 * 8 * 9));
    }
}

TEST(GpuBench, PyramidsAreAlsoTimedBranchByBranch) {
  for (const bool sum : {false, true}) {
    Collected collected;
    collected.suite->run_operator(
        {"pyramid", "p", PyramidParams{{conv(8, 2), conv(8, 4)}, sum}, {{1, 5, 5, 8}}, {"net"}});
    EXPECT_THAT(collected.all("case", "implementation"),
                testing::IsSupersetOf({"branches by implicit_gemm", "branches by direct"}));
  }
}

TEST(GpuBench, SeparablePairsAreCasesAndSoAreTheirParts) {
  BenchNetwork pair{"pair", "operator", {{1, 9, 9, 8}}, {}, "p"};
  const auto text = [](const char* value) { return Value::text(value); };
  pair.nodes.push_back(
      {"d", "conv2d", {"input"}, Value::map({{"kernel", text("3")}, {"groups", text("depthwise")}}), "d"});
  pair.nodes.push_back({"p", "conv2d", {"d"}, Value::map({{"out", text("4")}}), "p"});
  Collected collected;
  std::vector<OperatorCase> cases;
  collect(collected.suite->make_network(pair)->graph(), pair.inputs[0], "pair", cases);
  std::vector<std::string> groups;
  for (const OperatorCase& c : cases) groups.push_back(c.group);
  ASSERT_EQ(groups, (std::vector<std::string>{"separable", "depthwise", "conv"}));
  collected.suite->run_operator(cases[0]);
  EXPECT_EQ(collected.all("case", "implementation"), (std::set<std::string>{"in_turn", "fused"}));
  EXPECT_EQ(collected.lines.back()["problem"]["branches"].size(), 2U);
}

TEST(GpuBench, NetworksAndLabels) {
  BenchNetwork tiny{"tiny", "head", {{1, 9, 9, 3}}, {}, "c"};
  tiny.nodes.push_back({"c", "conv2d", {"input"}, Value::map({{"out", Value::text("4")}}), "c"});
  Collected collected("head,labels");
  collected.suite->run_network(tiny, collected.suite->make_network(tiny), tiny.inputs[0]);
  collected.suite->run_labels({1, 3, 3, 4}, 9, 9);
  ASSERT_EQ(collected.lines.size(), 2U);
  EXPECT_EQ(collected.lines[0]["kind"], "network");
  EXPECT_EQ(collected.lines[0]["finite"], true);
  EXPECT_EQ(collected.lines[0]["flops"], 2.0 * 81 * 3 * 4);
  EXPECT_EQ(collected.lines[1]["group"], "labels");
}

TEST(GpuBench, SummaryIsMedianAndExtremes) {
  const Timing t = summarise({5, 1, 3});
  EXPECT_EQ(t.median, 3);
  EXPECT_EQ(t.low, 1);
  EXPECT_EQ(t.high, 5);
  EXPECT_EQ(t.rounds, 3);
}

}  // namespace
}  // namespace atrous::bench
