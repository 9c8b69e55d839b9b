// SPDX-License-Identifier: Apache-2.0
// Networks whose scores are probabilities already, and values kept beside the scores.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "core/error.h"
#include "pipeline/segmenter.h"
#include "pipeline/template_values.h"
#include "support/temp_folder.h"

namespace atrous {
namespace {

/// A network whose scores have the photo's own size, so that upsampling changes nothing, and its end.
std::string yaml_of(const std::string& end, const std::string& size = "policy: native") {
  return "labels: {classes: [background, left, right], flip_pairs: [[left, right]]}\ninput: {mean: 0.5, " +
         size +
         "}\nnetwork:\n"
         "  - {name: a, op: conv2d, out: 8, kernel: 3, bias: true}\n  - {name: a_relu, op: relu}\n"
         "  - {name: b, op: conv2d, out: 3, kernel: 3, bias: true}\n" +
         end;
}
const std::string kProbabilities = "  - {name: softmax, op: softmax}\nscores: probabilities\n";

class Scores : public testing::Test {
 protected:
  Scores() {
    std::mt19937 random(3);
    for (std::uint8_t& level : photo_.rgb) level = static_cast<std::uint8_t>(random());
  }
  SegmentResult run(const std::string& yaml, SegmentOptions options) const {
    ModelOptions random;
    random.random_weights = true;
    random.device = "cpu";
    options.want_probabilities = true;
    return Segmenter(Model::open(folder_.write("m.yaml", yaml).string(), random), options).run(photo_.view());
  }
  static void expect_distributions(const ScoreMap& scores) {
    for (std::size_t i = 0; i < scores.pixels(); ++i) {
      const float* p = scores.pixel(i);
      ASSERT_NEAR(p[0] + p[1] + p[2], 1, 1e-5) << "pixel " << i;
      ASSERT_GE(*std::min_element(p, p + 3), 0) << "pixel " << i;
    }
  }

  Image photo_{31, 23, std::vector<std::uint8_t>(31 * 23 * 3)};
  const test::TempFolder folder_;
};

TEST_F(Scores, ProbabilitiesAreUsedAsTheyAre) {
  SegmentOptions plain, mirrored, refined;
  mirrored.flip = true;
  refined.flip = true, refined.crf = "iterations=2", refined.superpixels = 20;
  for (const SegmentOptions& options : {plain, mirrored, refined}) {
    const SegmentResult logits = run(yaml_of(""), options),
                        probabilities = run(yaml_of(kProbabilities), options);
    expect_distributions(probabilities.probabilities);
    const std::vector<float>&a = logits.probabilities.values, &b = probabilities.probabilities.values;
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-5) << "element " << i;
    EXPECT_EQ(logits.labels.ids, probabilities.labels.ids);
  }
}

TEST_F(Scores, ProbabilitiesStayDistributionsWhenResizedAndFused) {
  SegmentOptions options;
  options.scales = {0.75, 1};
  expect_distributions(run(yaml_of(kProbabilities, "policy: long_side, size: 17"), options).probabilities);
}

TEST_F(Scores, OtherNodesAreKeptBesideThem) {
  ModelOptions options;
  options.random_weights = true;
  options.device = "cpu";
  const std::string file = folder_.write("m.yaml", yaml_of(kProbabilities)).string();
  const ModelConfig config = load_model_config(file, {});
  ASSERT_NE(config.first_node("softmax"), nullptr);
  EXPECT_EQ(config.first_node("template_morph"), nullptr);
  options.outputs = config.first_node("softmax")->inputs;
  ASSERT_EQ(options.outputs, std::vector<std::string>{"b"});
  Executor executor(Model::open(file, options)->network());
  executor.prepare({1, 5, 6, 3});
  executor.write_input(std::vector<float>(90, 0.5F));
  executor.run();
  const std::vector<float> softmax = executor.read_output(0), logits = executor.read_output(1);
  ASSERT_EQ(logits.size(), softmax.size());
  for (std::size_t i = 0; i < logits.size(); i += 3)
    for (std::size_t c = i + 1; c < i + 3; ++c)
      EXPECT_NEAR(std::log(softmax[c] / softmax[i]), logits[c] - logits[i], 1e-4);
  options.outputs = {"d"};
  EXPECT_THROW(Model::open(file, options), Error);
}

TEST_F(Scores, MaximumIsForLogits) {
  try {
    run(yaml_of(kProbabilities + "fusion: max\n"), {});
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("m.yaml:9: 'fusion: max' is for logits, not for 'scores: probabilities'"),
              std::string::npos)
        << error.message();
  }
  EXPECT_THROW(run(yaml_of("scores: energies\n"), {}), Error);
}

TEST_F(Scores, TemplatesAreShownOnRequest) {
  const std::string file = folder_
                               .write("t.yaml", R"(labels: 3
scores: probabilities
input: {mean: 0.5, policy: stretch, size: 16}
network:
  - {name: mean, op: global_average_pool}
  - {name: alpha, op: fully_connected, input: mean, out: 5}
  - {name: boxes, op: fully_connected, input: mean, out: 10}
  - {name: seen, op: sigmoid}
  - {name: fusion, op: template_morph, inputs: [alpha, seen], templates: [2, 3], names: [hat, bag], mask: [4, 6], size: 16}
)")
                               .string();
  ModelOptions random;
  random.random_weights = true;
  random.device = "cpu";
  const auto model = Model::open(file, random);
  SegmentOptions options;
  EXPECT_TRUE(Segmenter(model, options).run(photo_.view()).template_sheet.rgb.empty());
  options.want_template_sheet = true;
  const Image sheet = Segmenter(model, options).run(photo_.view()).template_sheet;
  EXPECT_GE(sheet.height, 640);
  EXPECT_EQ(sheet.rgb.size(),
            static_cast<std::size_t>(sheet.width) * static_cast<std::size_t>(sheet.height) * 3);

  const std::vector<float> alpha{0.5F, 0, 0, -1, 2}, boxes(10, 0.25F);
  const TemplateMasks masks =
      template_masks(*model, alpha, boxes, plan_geometry(model->config().input, 31, 23));
  EXPECT_EQ(masks.names, (std::vector<std::string>{"hat", "bag"}));
  EXPECT_DOUBLE_EQ(masks.map_width, 31);
  EXPECT_DOUBLE_EQ(masks.map_height, 23);
  const std::vector<float> dictionary =
      model->network()->graph().first(OpKind::template_morph)->constants.front().read_f32();
  ASSERT_EQ(masks.masks.size(), 2U * 24);
  for (std::size_t i = 0; i < 24; ++i) {
    EXPECT_NEAR(masks.masks[i], std::clamp(0.5F * dictionary[i], 0.0F, 1.0F), 1e-6);
    EXPECT_NEAR(masks.masks[24 + i],
                std::clamp(2 * dictionary[4 * 24 + i] - dictionary[3 * 24 + i], 0.0F, 1.0F), 1e-6);
  }

  const auto without = Model::open(folder_.write("m.yaml", yaml_of("")).string(), random);
  EXPECT_THROW(Segmenter(without, options), Error);
}

}  // namespace
}  // namespace atrous
