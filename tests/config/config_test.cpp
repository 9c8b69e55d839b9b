// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "config/expression.h"
#include "config/model_path.h"
#include "config/modules.h"
#include "config/safetensors.h"
#include "config/yaml.h"
#include "core/error.h"
#include "graph/builder.h"
#include "support/temp_folder.h"
#include "support/zero_weights.h"

namespace atrous {
namespace {

template <typename F>
std::string message_of(const F& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.message();
  }
  return "no error";
}

std::string expand_message(const std::string& nodes, const std::string& blocks = "{}") {
  return message_of([&] {
    BlockLibrary library;
    add_blocks(library, parse_yaml(blocks, "b.yaml"));
    expand_network(parse_yaml(nodes, "n.yaml"), "", Value::map({}), library);
  });
}

TEST(Yaml, RefusesBombsAndNonsenseWithALine) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    bomb += fmt::format("a{0}: &a{0} [", i);
    for (int j = 0; j < 9; ++j) bomb += fmt::format("{}*a{}", j > 0 ? ", " : "", i - 1);
    bomb += "]\n";
  }
  EXPECT_NE(message_of([&] { parse_yaml(bomb, "x.yaml"); }).find("once its aliases are expanded"),
            std::string::npos);
  EXPECT_EQ(message_of([] { parse_yaml("a:\n  " + std::string(100000, '['), "x.yaml"); }),
            "x.yaml:2: nested deeper than 48 levels");
  EXPECT_EQ(message_of([] { parse_yaml("a: " + std::string(100000, '{'), "x.yaml"); }),
            "x.yaml:1: nested deeper than 48 levels");
  EXPECT_EQ(message_of([] { parse_yaml("- " + std::string(5000, '-'), "x.yaml"); }).substr(0, 9),
            "x.yaml:1:");
  std::string quoted;  // brackets in quotes do not close anything
  for (int i = 0; i < 100000; ++i) quoted += "[\"]\",";
  EXPECT_EQ(message_of([&] { parse_yaml(quoted, "x.yaml"); }).substr(0, 9), "x.yaml:1:");
  EXPECT_EQ(message_of([] { parse_yaml("a: &a [*a]", "x.yaml"); }), "x.yaml:1: nested deeper than 48 levels");
  EXPECT_EQ(message_of([] { parse_yaml("a: 1\nb: 2\na: 3\n", "x.yaml"); }), "x.yaml:1: key 'a' stands twice");
  EXPECT_EQ(message_of([] { parse_yaml("a: [1, 2\nb: 3", "x.yaml"); }).substr(0, 7), "x.yaml:");
  EXPECT_EQ(message_of([] { load_yaml("/nowhere/x.yaml"); }), "/nowhere/x.yaml: No such file or directory");
}

TEST(Expression, ComputesAndComplains) {
  const auto lookup = [](std::string_view name) -> std::optional<std::int64_t> {
    return name == "a" ? std::optional<std::int64_t>(6) : std::nullopt;
  };
  EXPECT_EQ(evaluate("1 + 2*3 - (4 - 1)", lookup), 4);
  EXPECT_EQ(evaluate("$a / 4 + a % 4", lookup), 3);
  EXPECT_EQ(evaluate("a > 5 and not (a == 7) or 0", lookup), 1);
  EXPECT_EQ(evaluate("-a", lookup), -6);
  for (const char* bad : {"", "1 +", "(1", "b", "1 2", "1/0", "9223372036854775807+1", "a &"})
    EXPECT_THROW(evaluate(bad, lookup), Error) << bad;
  EXPECT_THROW(evaluate(std::string(10000, '(') + "1", lookup), Error);
  EXPECT_THROW(evaluate(std::string(10000, '-') + "1", lookup), Error);
}

TEST(Modules, ExpandsBlocksRepeatsParametersAndConditions) {
  BlockLibrary library;
  add_blocks(library, parse_yaml(R"(
unit:
  parameters: {out: , rate: 1, wide: "${out * 2}", shortcut: false}
  inputs: [other]
  nodes:
    - {name: conv, op: conv2d, out: $wide, dilation: $rate}
    - {name: extra, op: relu, when: shortcut}
    - {name: sum, op: add, inputs: [extra, other]}
)",
                                 "b.yaml"));
  const Value nodes = parse_yaml(R"(
- {name: stem, op: conv2d, out: 4, weights: old.stem}
- {name: body, block: unit, repeat: 2, inputs: [stem, stem], out: 3, each: {rate: [5, 7]}, first: {shortcut: true}}
- {name: tap, op: relu, input: body.0.conv}
- {name: twin, block: unit, inputs: [stem, stem], out: 3, rate: 1, weights: body.0}
)",
                                 "n.yaml");
  const Expansion e = expand_network(nodes, "", Value::map({}), library);
  std::vector<std::string> names;
  for (const NodeSpec& node : e.nodes) names.push_back(node.name);
  EXPECT_EQ(names, (std::vector<std::string>{"stem", "body.0.conv", "body.0.extra", "body.0.sum",
                                             "body.1.conv", "body.1.sum", "tap", "twin.conv", "twin.sum"}));
  EXPECT_EQ(e.nodes[0].weights, "old.stem");
  EXPECT_EQ(e.nodes[1].params.find("out")->scalar, "6");
  EXPECT_EQ(e.nodes[1].params.find("dilation")->scalar, "5");
  EXPECT_EQ(e.nodes[4].params.find("dilation")->scalar, "7");
  EXPECT_EQ(e.nodes[4].inputs, std::vector<std::string>{"body.0.sum"});
  EXPECT_EQ(e.nodes[5].inputs, (std::vector<std::string>{"body.1.conv", "stem"}))
      << "a node left out stands for its input";
  EXPECT_EQ(e.nodes[6].inputs, std::vector<std::string>{"body.0.conv"});
  EXPECT_EQ(e.nodes[4].weights, "body.1.conv");
  EXPECT_EQ(e.nodes[7].weights, "body.0.conv") << "a block's nodes take its prefix";
  EXPECT_EQ(e.output, "twin.sum");
}

TEST(Modules, NamesFileAndLineOfEveryMistake) {
  EXPECT_EQ(expand_message("- {name: a, op: relu}\n- {name: a, op: relu}"),
            "n.yaml:2: node 'a' is defined twice");
  EXPECT_EQ(expand_message("- {name: a, op: relu, input: bb}"),
            "n.yaml:1: there is no node 'bb' before this place");
  EXPECT_EQ(expand_message("- {name: a}"), "n.yaml:1: node 'a' needs either 'op' or 'block'");
  EXPECT_EQ(expand_message("- {name: a, block: uint}", "{unit: {nodes: [{name: x, op: relu}]}}"),
            "n.yaml:1: there is no block 'uint' (did you mean 'unit'?)");
  EXPECT_EQ(expand_message("- {name: a, block: x}",
                           "x: {nodes: [{name: n, block: y}]}\ny: {nodes: [{name: n, block: x}]}"),
            "b.yaml:2: blocks use each other in a circle: x -> y -> x");
  EXPECT_EQ(expand_message("- {name: a, block: x, ou: 3}",
                           "x: {parameters: {out: 1}, nodes: [{name: n, op: relu}]}"),
            "n.yaml:1: block 'x' has no parameter 'ou' (did you mean 'out'?)");
  EXPECT_EQ(expand_message("- {name: a, block: x}", "x: {parameters: {out: }, nodes: [{name: n, op: relu}]}"),
            "n.yaml:1: block 'x' needs the parameter 'out'");
  EXPECT_EQ(expand_message("- {name: a, op: conv2d, out: $k}"), "n.yaml:1: there is no parameter 'k'");
  EXPECT_EQ(expand_message("- {name: a, op: conv2d, out: \"${1/0}\"}"),
            "n.yaml:1: expression '1/0': division by zero");
  EXPECT_EQ(expand_message("- {name: a, op: relu, repeat: 99999999}"),
            "n.yaml:1: 'repeat' must be a whole number from 1 to 4096");
  EXPECT_EQ(expand_message("- {name: a, op: relu, inputs: []}"),
            "n.yaml:1: 'inputs' must be a list of nodes");
  EXPECT_EQ(expand_message("just a word"), "n.yaml:1: must be a list of nodes");
  EXPECT_EQ(expand_message("- {name: a, block: x}", "x: {nodse: []}"),
            "b.yaml:1: block 'x': 'nodes' is missing");
  std::string doubling = "b0: {nodes: [{name: n, op: relu, repeat: 4000}]}\n";
  for (int i = 1; i < 6; ++i)
    doubling += fmt::format("b{}: {{nodes: [{{name: n, block: b{}, repeat: 4000}}]}}\n", i, i - 1);
  EXPECT_NE(expand_message("- {name: a, block: b5}", doubling).find("more than 50000 nodes"),
            std::string::npos);
  EXPECT_EQ(expand_message("- {name: a, block: x}", "x: {parameters: [out], nodes: [{name: n, op: relu}]}"),
            "b.yaml:1: block 'x': 'parameters' must map names to defaults");
}

TEST(Modules, RefusesWhatGrowsWithoutNodes) {
  std::string unwanted = "b0: {nodes: [{name: n, op: relu, when: 0}]}\n", doubling = "{p0: [1, 1]";
  for (int i = 1; i < 6; ++i)
    unwanted += fmt::format("b{}: {{nodes: [{{name: n, block: b{}, repeat: 4000}}]}}\n", i, i - 1);
  EXPECT_NE(expand_message("- {name: a, block: b5}", unwanted).find("more than 50000 nodes"),
            std::string::npos);
  for (int i = 1; i < 40; ++i) doubling += fmt::format(", p{0}: [$p{1}, $p{1}]", i, i - 1);
  EXPECT_EQ(expand_message("- {name: a, block: x}",
                           "x: {parameters: " + doubling + "}, nodes: [{name: n, op: relu}]}"),
            "b.yaml:1: its parameters stand for more than 10000 values");
}

Expansion expand_networks(const std::string& networks, const std::string& nodes) {
  BlockLibrary library;
  add_blocks(library,
             parse_yaml("b: {parameters: {out: 3}, nodes: [{name: c, op: conv2d, out: $out}]}", "b.yaml"));
  return expand_network(parse_yaml(nodes, "n.yaml"), "", parse_yaml("width: 5", "p.yaml"), library,
                        parse_yaml(networks, "m.yaml"));
}

TEST(Networks, StandUnderTheirNamesAndReadEachOther) {
  const Expansion e = expand_networks(R"(
backbone:
  - {name: stem, op: conv2d, out: $width}
  - {name: body, block: b, repeat: 2, out: $width}
left: {input: backbone, nodes: [{name: a, op: relu}, {name: b, block: b}], output: a}
right: {input: backbone.stem, nodes: [{name: a, op: add, inputs: [input, input]}]}
alone: [{name: a, op: relu}]
)",
                                      R"(
- {name: sum, op: add, inputs: [left, right]}
- {name: all, op: concat, inputs: [sum, alone, backbone.body.0, input]}
)");
  std::map<std::string, std::vector<std::string>> inputs;
  std::vector<std::string> names;
  for (const NodeSpec& node : e.nodes) names.push_back(node.name), inputs[node.name] = node.inputs;
  EXPECT_EQ(names, (std::vector<std::string>{"backbone.stem", "backbone.body.0.c", "backbone.body.1.c",
                                             "left.a", "left.b.c", "right.a", "alone.a", "sum", "all"}));
  EXPECT_EQ(inputs["backbone.stem"], std::vector<std::string>{"input"});
  EXPECT_EQ(inputs["left.a"], std::vector<std::string>{"backbone.body.1.c"});
  EXPECT_EQ(inputs["right.a"], (std::vector<std::string>{"backbone.stem", "backbone.stem"}));
  EXPECT_EQ(inputs["alone.a"], std::vector<std::string>{"input"});
  EXPECT_EQ(inputs["sum"], (std::vector<std::string>{"left.a", "right.a"}));
  EXPECT_EQ(inputs["all"], (std::vector<std::string>{"sum", "alone.a", "backbone.body.0.c", "input"}));
  EXPECT_EQ(e.nodes[0].params.find("out")->scalar, "5");
  EXPECT_EQ(e.output, "all");
}

TEST(Networks, NameFileAndLineOfEveryMistake) {
  const auto message = [](const std::string& networks, const std::string& nodes = "- {name: z, op: relu}") {
    return message_of([&] { expand_networks(networks, nodes); });
  };
  EXPECT_EQ(message("[a, b]"), "m.yaml:1: 'networks' must map names to networks");
  EXPECT_EQ(message("a: []"), "m.yaml:1: must be a list of nodes");
  EXPECT_EQ(message("a: 3"), "m.yaml:1: must be a list of nodes");
  EXPECT_EQ(message("a: {input: input}"), "m.yaml:1: network 'a': 'nodes' is missing");
  EXPECT_EQ(message("a: {nodes: [{name: b, op: relu}], inputs: [x]}"),
            "m.yaml:1: network 'a': unknown key 'inputs' (did you mean 'input'?)");
  EXPECT_EQ(message("back: [{name: b, op: relu}]\nhead: {input: bakc, nodes: [{name: b, op: relu}]}"),
            "m.yaml:2: there is no node 'bakc' before this place (did you mean 'back'?)");
  EXPECT_EQ(message("a: {input: a, nodes: [{name: b, op: relu}]}"),
            "m.yaml:1: there is no node 'a' before this place");
  EXPECT_EQ(message("a: [{name: b, op: relu, input: c.b}]\nc: [{name: b, op: relu}]"),
            "m.yaml:1: there is no node 'c.b' before this place");
  EXPECT_EQ(
      message("a.b: [{name: b, op: relu}]"),
      "m.yaml:1: 'a.b' cannot be the name of a node or network (it is empty, holds a dot or names an input)");
  EXPECT_EQ(message("input: [{name: b, op: relu}]"),
            "m.yaml:1: 'input' cannot be the name of a node or network (it is empty, holds a dot or names an "
            "input)");
  EXPECT_EQ(message("z: [{name: b, op: relu}]"), "n.yaml:1: node 'z' is defined twice");
}

TEST(Labels, ParsesAndComplains) {
  const LabelSet set =
      parse_labels(parse_yaml("classes: [bg, {name: shoe, color: [1, 2, 3]}, sock]\nflip_pairs: [[shoe, "
                              "sock]]\nmerge: {shoe: [boot]}",
                              "l.yaml"));
  EXPECT_EQ(set.classes[1].color, (Rgb{1, 2, 3}));
  EXPECT_EQ(set.classes[2].color, voc_color(2));
  EXPECT_EQ(set.flip_pairs, (std::vector<std::pair<int, int>>{{1, 2}}));
  EXPECT_EQ(set.merge, (std::vector<std::pair<std::string, int>>{{"boot", 1}}));
  EXPECT_EQ(voc_color(15), (Rgb{192, 128, 128}));
  EXPECT_EQ(voc_color(255), kIgnoreColor);
  for (const char* bad : {"classes: []", "classes: [a, a]", "classes: [{name: a, color: [1, 2]}]",
                          "classes: [a]\nflip_pairs: [[a, b]]", "classes: [a]\nfoo: 1",
                          "classes: [a]\nmerge: {b: [c]}", "classes: [a, b]\nflip_pairs: a",
                          "classes: [a]\nmerge: [a]", "classes: [a]\nmerge: {a: b}", "name: x"})
    EXPECT_THROW(parse_labels(parse_yaml(bad, "l.yaml")), Error) << bad;
}

TEST(ShippedConfigs, BuildAtTheirNominalSize) {
  for (const auto& file : list_models()) {
    const ModelConfig config = load_model_config(file, search_folders());
    const Shape input = nominal_input(config.input);
    const Graph graph = build_graph(config.nodes, config.output, input, test::ZeroWeights());
    const std::vector<Shape> shapes = infer_shapes(graph, input);
    EXPECT_EQ(shapes[static_cast<std::size_t>(graph.outputs()[0])].c, config.labels.size()) << file;
  }
}

TEST(ShippedConfigs, LabelSetsParse) {
  const std::map<std::string, int> sizes{{"voc", 21},
                                         {"cityscapes", 19},
                                         {"ade20k", 150},
                                         {"coco-stuff", 171},
                                         {"pascal-context", 60},
                                         {"pascal-person-part", 7},
                                         {"lip", 20},
                                         {"atr", 18},
                                         {"camvid", 11},
                                         {"clothing", 14}};
  for (const auto& [name, size] : sizes) {
    const LabelSet set = parse_labels(
        load_yaml(std::filesystem::path(ATROUS_TEST_SOURCE_DIR) / "configs/labels" / (name + ".yaml")));
    EXPECT_EQ(set.size(), size) << name;
    EXPECT_EQ(set.name, name);
  }
}

/// The two networks differ in how they halve the extent and in what they predict, in nothing else.
TEST(ShippedConfigs, ActiveTemplateRegressionPoolsInOneNetworkOnly) {
  const ModelConfig config = load_model_config(find_model("atr-2015"), search_folders());
  const Shape input = nominal_input(config.input);
  const Graph graph = build_graph(config.nodes, config.output, input, test::ZeroWeights());
  std::map<std::string, std::map<OpKind, int>> kinds;
  for (const Node& node : graph.nodes()) ++kinds[node.name.substr(0, node.name.find('.'))][node.kind()];
  auto& pooling = kinds["template_network"];
  auto& striding = kinds["shape_network"];
  EXPECT_EQ(pooling[OpKind::pool2d], 3);
  EXPECT_EQ(pooling[OpKind::conv2d], 5);
  EXPECT_EQ(striding[OpKind::pool2d], 0);
  EXPECT_EQ(striding[OpKind::conv2d], 8);
  for (auto* network : {&pooling, &striding}) {
    EXPECT_EQ((*network)[OpKind::lrn], 2);
    EXPECT_EQ((*network)[OpKind::fully_connected], 3);
  }
  const Node* morph = graph.first(OpKind::template_morph);
  ASSERT_NE(morph, nullptr);
  EXPECT_EQ(std::get<TemplateMorphParams>(morph->params).templates, std::vector<int>(17, 16));
  EXPECT_EQ(infer_shapes(graph, input).back(), (Shape{1, 227, 227, 18}));
  EXPECT_TRUE(config.probabilities);
  EXPECT_EQ(config.first_node("template_morph")->inputs,
            (std::vector<std::string>{"template_network.coefficients", "shape_network.sigmoid"}));
}

// ---- safetensors ----

std::string file_of(const std::string& header, std::size_t payload,
                    std::optional<std::uint64_t> claimed = {}) {
  const std::uint64_t length = claimed.value_or(header.size());
  std::string file(sizeof length, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  return file + header + std::string(payload, '\1');
}

std::string open_message(const std::string& content) {
  const test::TempFolder folder;
  const auto file = folder.write("w.safetensors", content);
  std::string message = message_of([&] { SafetensorsFile opened(file); });
  if (const auto at = message.find("w.safetensors: "); at != std::string::npos) message.erase(0, at + 15);
  return message;
}

TEST(Safetensors, RefusesHostileHeaders) {
  const std::string good = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  EXPECT_EQ(open_message(file_of(good, 8)), "no error");
  EXPECT_EQ(open_message(""), "too short to be a safetensors file");
  EXPECT_EQ(open_message("1234"), "too short to be a safetensors file");
  EXPECT_EQ(open_message(file_of(good, 8, ~0ULL)),
            "claims a header of 18446744073709551615 bytes, the file has 70");
  EXPECT_EQ(open_message(file_of("[1,2]", 0)), "its header is not a safetensors header");
  EXPECT_EQ(open_message(file_of("{\"a\":", 0)), "its header is not a safetensors header");
  EXPECT_EQ(open_message(file_of(std::string(1000000, '['), 0)), "its header is not a safetensors header");
  EXPECT_EQ(open_message(file_of(R"({"a":3})", 0)), "tensor 'a' has no dtype, shape and data_offsets");
  EXPECT_EQ(open_message(file_of(R"({"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}})", 8)),
            "tensor 'a' is of type I64; F32, F16, BF16 and I8 can be read");
  EXPECT_EQ(open_message(file_of(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,8]}})", 8)),
            "tensor 'a' has a shape that is no list of sizes");
  EXPECT_EQ(open_message(file_of(
                R"({"a":{"dtype":"F32","shape":[1099511627776,1099511627776],"data_offsets":[0,8]}})", 8)),
            "tensor 'a' has a shape whose product overflows");
  EXPECT_EQ(open_message(file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8)),
            "tensor 'a' lies at [8, 0), outside the 8 bytes of data");
  EXPECT_EQ(open_message(file_of(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}})", 8)),
            "tensor 'a' lies at [0, 12), outside the 8 bytes of data");
  EXPECT_EQ(open_message(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})", 8)),
            "tensor 'a' is [1] of 4 bytes but has 8");
  EXPECT_EQ(open_message(
                file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615]}})", 8)),
            "tensor 'a' lies at [0, 18446744073709551615), outside the 8 bytes of data");
  EXPECT_EQ(
      open_message(file_of(
          R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
          12)),
      "tensor 'b' overlaps tensor 'a'");
  EXPECT_EQ(
      open_message(file_of(
          R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
          8)),
      "its header names a tensor twice");
}

TEST(Safetensors, RoundTripsAndReadsHalfTypes) {
  const test::TempFolder folder;
  const std::vector<TensorRef> tensors{make_tensor_ref("x", {2, 2}, {1, -2, 3.5F, 4}),
                                       make_tensor_ref("y", {1}, {7})};
  write_safetensors(folder / "t.safetensors", tensors);
  const SafetensorsFile file(folder / "t.safetensors");
  EXPECT_EQ((Constant{"x", *file.find("x", {}), {}}.read_f32()), (std::vector<float>{1, -2, 3.5F, 4}));
  EXPECT_EQ((Constant{"x", *file.find("x", {}), {2, 10}}.read_f32()), (std::vector<float>{2, -4, 35, 40}));
  EXPECT_FALSE(file.find("z", {}));
  std::string halves = file_of(
      R"({"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[1],"data_offsets":[4,6]}})",
      0);
  halves += std::string("\x00\x3c\x00\xc0\x80\x3f", 6);  // 1, -2 and 1
  const SafetensorsFile half(folder.write("h.safetensors", halves));
  EXPECT_EQ((Constant{"h", *half.find("h", {}), {}}.read_f32()), (std::vector<float>{1, -2}));
  EXPECT_EQ((Constant{"b", *half.find("b", {}), {}}.read_f32()), (std::vector<float>{1}));
}

}  // namespace
}  // namespace atrous
