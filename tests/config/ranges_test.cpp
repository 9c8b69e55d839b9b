// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/model_config.h"
#include "config/yaml.h"
#include "core/error.h"

namespace atrous {
namespace {

using testing::AllOf;
using testing::HasSubstr;

ModelConfig parse(const std::string& ranges) {
  const std::string text =
      "labels: 2\ninput: {}\nnetwork:\n  - {name: a, op: conv2d, out: 2}\n  - {name: b, op: relu}\nranges: " +
      ranges;
  return parse_model_config(parse_yaml(text, "x.yaml"), "x.yaml", {});
}

std::string complaint(const std::string& ranges) {
  try {
    parse(ranges);
  } catch (const Error& error) {
    return error.message();
  }
  return "no error";
}

TEST(Ranges, BelongToNodes) {
  const ModelConfig config = parse("{a: [-1.5, 2e3]}");
  ASSERT_TRUE(config.nodes[0].range);
  EXPECT_EQ(config.nodes[0].range->low, -1.5F);
  EXPECT_EQ(config.nodes[0].range->high, 2000);
  EXPECT_FALSE(config.nodes[1].range);
  EXPECT_EQ(parse("{a: [-1, 0]}").nodes[0].range->high, 0);
}

TEST(Ranges, HostileOnesAreRefusedWithTheirLine) {
  for (const char* bad : {"[1]", "[]", "[0, 1, 2]", "3", "[0, 0]", "[1, 2]", "[-2, -1]", "[2, -2]",
                          "[0, 1e-39]", "[0, 1e31]", "[-1e31, 1]"})
    EXPECT_THAT(complaint(std::string("{a: ") + bad + "}"),
                AllOf(HasSubstr("x.yaml:6: "), HasSubstr("'a' must be")))
        << bad;
  for (const char* bad :
       {"[0, .nan]", "[0, nan]", "[0, .inf]", "[-inf, 1]", "[0, 1e999]", "[0, x]", "[0, [1]]", "{}"})
    EXPECT_THAT(complaint(std::string("{a: ") + bad + "}"), HasSubstr("x.yaml:6: ")) << bad;
  EXPECT_THAT(complaint("{c: [0, 1]}"), HasSubstr("x.yaml:6: ranges: there is no node 'c'"));
  EXPECT_THAT(complaint("[0, 1]"), HasSubstr("x.yaml:6: ranges: must be a map"));
}

}  // namespace
}  // namespace atrous
