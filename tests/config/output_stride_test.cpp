// SPDX-License-Identifier: Apache-2.0
#include "config/output_stride.h"

#include <gmock/gmock.h>

#include "core/error.h"

namespace atrous {
namespace {

NodeSpec window(const std::string& name, const std::string& input, const std::string& stride,
                std::vector<std::pair<std::string, Value>> more = {}) {
  more.emplace_back("stride", Value::text(stride));
  return {name, "conv2d", {input}, Value::map(std::move(more)), name};
}

std::string param(const NodeSpec& node, std::string_view key) {
  const Value* value = node.params.find(key);
  return value == nullptr ? "" : value->scalar;
}

std::vector<NodeSpec> three_strides() {
  std::vector<NodeSpec> nodes{window("backbone.a", "input", "2"),
                              window("backbone.b", "backbone.a", "2", {{"padding", Value::text("1")}}),
                              window("backbone.c", "backbone.b", "2"),
                              window("backbone.d", "backbone.c", "1"), window("head", "backbone.d", "1")};
  nodes[3].params.fields.emplace_back("dilation", Value::text("3"));
  nodes[3].params.fields.emplace_back("padding", Value::text("2"));
  return nodes;
}

TEST(OutputStride, LeavesStridesThatStayBelowIt) {
  auto nodes = three_strides();
  apply_output_stride(nodes, 8, "backbone.");
  EXPECT_EQ(param(nodes[2], "stride"), "2");
  EXPECT_EQ(param(nodes[3], "dilation"), "3");
  EXPECT_EQ(param(nodes[3], "padding"), "2");
}

TEST(OutputStride, TurnsLaterStridesIntoRatesFromTheNextNodeOn) {
  auto nodes = three_strides();
  apply_output_stride(nodes, 2, "backbone.");
  EXPECT_EQ(param(nodes[0], "stride"), "2");
  EXPECT_EQ(param(nodes[1], "stride"), "1");
  EXPECT_EQ(param(nodes[1], "dilation"), "");  // keeps the rate it came with
  EXPECT_EQ(param(nodes[1], "padding"), "1");
  EXPECT_EQ(param(nodes[2], "dilation"), "2");
  EXPECT_EQ(param(nodes[3], "dilation"), "12");  // its own 3 times 4
  EXPECT_EQ(param(nodes[3], "padding"), "8");
  EXPECT_EQ(param(nodes[4], "dilation"), "");  // the head is not the backbone
}

TEST(OutputStride, RefusesWhatItCannotRewrite) {
  std::vector<NodeSpec> passes{window("backbone.a", "input", "3"), window("backbone.b", "backbone.a", "3")};
  EXPECT_THROW(apply_output_stride(passes, 8, "backbone."), Error);
  std::vector<NodeSpec> uneven{window("backbone.a", "input", "2")};
  uneven[0].params = Value::map({{"stride", Value::list({Value::text("1"), Value::text("2")})}});
  EXPECT_THROW(apply_output_stride(uneven, 8, "backbone."), Error);
  std::vector<NodeSpec> elsewhere{window("body.a", "input", "2")};
  EXPECT_THROW(apply_output_stride(elsewhere, 8, "backbone."), Error);
}

TEST(OutputStride, RefusesNumbersThatOverflow) {
  const std::string huge = "9223372036854775807";
  std::vector<NodeSpec> stride{window("backbone.a", "input", "8"), window("backbone.b", "backbone.a", huge)};
  EXPECT_THROW(apply_output_stride(stride, 8, "backbone."), Error);
  std::vector<NodeSpec> rate{window("backbone.a", "input", "8"), window("backbone.b", "backbone.a", "2"),
                             window("backbone.c", "backbone.b", "1", {{"dilation", Value::text(huge)}})};
  EXPECT_THROW(apply_output_stride(rate, 8, "backbone."), Error);
  std::vector<NodeSpec> many{window("backbone.0", "input", "8")};
  for (int i = 1; i < 8; ++i)
    many.push_back(window("backbone." + std::to_string(i), many.back().name, "1024"));
  EXPECT_THROW(apply_output_stride(many, 8, "backbone."), Error);
}

}  // namespace
}  // namespace atrous
