// SPDX-License-Identifier: Apache-2.0
// Template morphing in a network: what its config and its dictionary may be, and what of it can be shown.
#include <gtest/gtest.h>

#include <cmath>

#include "config/modules.h"
#include "config/yaml.h"
#include "core/convert.h"
#include "graph/builder.h"
#include "graph/executor.h"
#include "support/reference.h"
#include "support/run_network.h"

namespace atrous {
namespace {

/// Tensors of ones, but one element of the dictionary.
class Ones : public WeightSource {
 public:
  explicit Ones(float odd, DType dtype = DType::f32) : odd_(odd), dtype_(dtype) {}
  std::optional<TensorRef> find(std::string_view name, const std::vector<std::int64_t>& dims) const override {
    TensorRef tensor{std::string(name), dims, dtype_, nullptr};
    std::vector<float> values(static_cast<std::size_t>(tensor.elements()), 1.0F);
    if (name == "m.weight") values[5] = odd_;
    if (dtype_ == DType::f32) return make_tensor_ref(std::string(name), dims, std::move(values));
    const auto bytes = std::make_shared<std::vector<std::byte>>(2 * values.size());
    from_f32(values.data(), tensor.elements(), dtype_, bytes->data());
    tensor.data = {bytes, bytes->data()};
    return tensor;
  }
  std::string describe() const override { return "w.safetensors"; }

 private:
  float odd_;
  DType dtype_;
};

/// What building a network of 3 labels with 4 coefficients and 15 numbers of boxes says to these keys.
std::string message(const std::string& keys, const WeightSource& weights = Ones(1)) {
  const std::string network =
      R"([{name: mean, op: global_average_pool}, {name: c, op: fully_connected, out: 4},
{name: b, op: fully_connected, out: 15, input: mean},
{name: m, op: template_morph, inputs: [c, b], )" +
      keys + "}]";
  try {
    const Expansion e = expand_network(parse_yaml(network, "n.yaml"), "", Value::map({}), {});
    const Graph graph = build_graph(e.nodes, e.output, {1, 9, 9, 3}, weights);
    return to_string(infer_shapes(graph, {2, 9, 9, 3}).back());
  } catch (const Error& error) {
    return error.message();
  }
}

TEST(TemplateMorphConfig, MakesAMapOfLabelsAndBackground) {
  EXPECT_EQ(message("templates: [1, 2, 1], mask: [5, 7], size: [20, 30]"), "[2,20,30,4]");
  EXPECT_EQ(message("templates: [1, 2, 1], mask: 5, size: 20"), "[2,20,20,4]");
}

TEST(TemplateMorphConfig, NamesWhatIsWrong) {
  const std::string rest = "mask: 5, size: 20", place = "n.yaml:3: node 'm': ";
  EXPECT_EQ(message(rest), place + "'templates' is missing");
  EXPECT_EQ(message("templates: [1, 2, 1], size: 20"), place + "'mask' is missing");
  EXPECT_EQ(message("templates: [1, 2, 1], mask: 5"), place + "'size' is missing");
  EXPECT_EQ(message("templates: [1, 2, 1], mask: 0, size: 20"),
            place + "'mask' is 0 but must lie between 1 and 1024");
  EXPECT_EQ(message("templates: [1, 2, 1], mask: 5, size: [20, 65537]"),
            place + "'size' is 65537 but must lie between 1 and 65536");
  const std::string counts =
      place + "'templates' must be a number of templates for each of 1 to 254 labels, 65536 together at most";
  for (const char* bad :
       {"[]", "[0, 2]", "[4, -1]", "[65536, 1]", "[9223372036854775807, 9223372036854775807]"})
    EXPECT_EQ(message(fmt::format("templates: {}, {}", bad, rest)), counts) << bad;
  std::string many = "1";
  for (int i = 0; i < 254; ++i) many += ", 1";
  EXPECT_EQ(message("templates: [" + many + "], " + rest), counts);
  EXPECT_EQ(message("templates: [65536], mask: 1024, size: 20"),
            place + "65536 templates of 1024x1024 are more than 268435456 numbers");
  EXPECT_EQ(
      message("templates: [1, 2, 2], " + rest),
      place +
          "3 labels with 5 templates take coefficients [1,1,1,5] and boxes [1,1,1,15] (cx, cy, sx, sy, v), "
          "not [1,1,1,4] and [1,1,1,15]");
  EXPECT_EQ(
      message("templates: [2, 2], " + rest),
      place +
          "2 labels with 4 templates take coefficients [1,1,1,4] and boxes [1,1,1,10] (cx, cy, sx, sy, v), "
          "not [1,1,1,4] and [1,1,1,15]");
  EXPECT_EQ(message("templates: [1, 2, 1], colour: red, " + rest), place + "unknown key 'colour'");
}

TEST(TemplateMorphConfig, TemplatesAreFiniteAndNotNegative) {
  const std::string keys = "templates: [1, 2, 1], mask: 5, size: 20";
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16}) {
    EXPECT_EQ(message(keys, Ones(-0.5F, dtype)),
              "n.yaml:3: node 'm': tensor 'm.weight' of w.safetensors must not hold values below 0 (element "
              "5 is -0.5)");
    EXPECT_EQ(message(keys, Ones(-INFINITY, dtype)),
              "n.yaml:3: node 'm': tensor 'm.weight' of w.safetensors holds NaN or infinity (element 5)");
    EXPECT_EQ(message(keys, Ones(-0.0F, dtype)), "[2,20,20,4]");
  }
  EXPECT_EQ(message(keys, RandomWeights(5)), "[2,20,20,4]");
}

/// What a caller needs to show masks and boxes: the values that go in, and the node with its dictionary.
TEST(TemplateMorphOutputs, GoInAsTheReferenceNeedsThem) {
  const Shape input{2, 9, 9, 3};
  const Expansion e = expand_network(parse_yaml(R"(
- {name: mean, op: global_average_pool}
- {name: c, op: fully_connected, out: 4}
- {name: unclipped, op: fully_connected, out: 15, input: mean}
- {name: b, op: sigmoid}
- {name: m, op: template_morph, inputs: [c, b], templates: [1, 2, 1], mask: [5, 7], size: [20, 30]}
)",
                                                "n.yaml"),
                                     "", Value::map({}), {});
  const Graph graph = build_graph(e.nodes, e.output, input, RandomWeights(3), {"c", "b", "unclipped"});
  Executor executor(std::make_shared<Network>(graph, input, make_backend({})), 2);
  const std::vector<float> map = test::run(executor, input, test::noise(input)),
                           boxes = executor.read_output(2), unclipped = executor.read_output(3);
  const Node* node =
      executor.output(0).desc.shape == Shape{2, 20, 30, 4} ? graph.first(OpKind::template_morph) : nullptr;
  ASSERT_NE(node, nullptr);
  EXPECT_EQ(node->name, "m");
  EXPECT_EQ(graph.node(node->inputs[1]).name, "b");
  EXPECT_EQ(graph.first(OpKind::pyramid), nullptr);
  ASSERT_EQ(unclipped.size(), 30U);
  for (std::size_t i = 0; i < boxes.size(); ++i)
    EXPECT_NEAR(boxes[i], 1 / (1 + std::exp(-unclipped[i])), 1e-5)
        << "a kept value is that before the activation";

  std::vector<test::RefTensor> inputs;
  for (const int i : {1, 2}) {
    const std::vector<float> values = executor.read_output(i);
    inputs.push_back({executor.output(i).desc.shape, {values.begin(), values.end()}});
  }
  const std::vector<float> dictionary = node->constants[0].read_f32();
  const test::RefTensor wanted = test::reference(
      node->params, inputs, {{dictionary.begin(), dictionary.end()}}, executor.output(0).desc.shape);
  test::expect_near(map, {wanted.values.begin(), wanted.values.end()}, 1e-5);
}

TEST(TemplateMorphOutputs, AreNodesOfTheNetwork) {
  const Expansion e = expand_network(parse_yaml("- {name: conv, op: relu}\n- {name: b, op: relu}", "n.yaml"),
                                     "", Value::map({}), {});
  try {
    build_graph(e.nodes, e.output, {1, 9, 9, 3}, RandomWeights(3), {"b", "cnov"});
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_EQ(error.message(), "the network has no node 'cnov' (did you mean 'conv'?)");
  }
}

}  // namespace
}  // namespace atrous
