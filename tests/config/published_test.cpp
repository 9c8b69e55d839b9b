// SPDX-License-Identifier: Apache-2.0
// The shipped DeepLab configs against the parameter counts and multiply-adds that were published for them.
#include <gtest/gtest.h>

#include <filesystem>
#include <ostream>
#include <set>
#include <string>

#include "config/model_config.h"
#include "graph/builder.h"
#include "support/zero_weights.h"

namespace atrous {
namespace {

struct Published {
  const char* name;
  int output_stride;        ///< 0: the config's own
  std::int64_t parameters;  ///< 0: none published
  double parameters_error;  ///< by which share ours may differ
  double giga_macs;         ///< of convolutions at 513x513; 0: none published
  double macs_error;
};

std::ostream& operator<<(std::ostream& out, const Published& p) {
  return out << p.name << "/" << p.output_stride;
}

class PublishedNetwork : public testing::TestWithParam<Published> {};

TEST_P(PublishedNetwork, HasItsParametersAndMultiplyAdds) {
  const Published& published = GetParam();
  const std::filesystem::path configs = std::filesystem::path(ATROUS_TEST_SOURCE_DIR) / "configs";
  ConfigOptions options;
  if (published.output_stride > 0) options.output_stride = published.output_stride;
  const ModelConfig config =
      load_model_config(configs / "deeplab" / (std::string(published.name) + ".yaml"), {configs}, options);
  const Shape input{1, 513, 513, 3};
  const Graph graph = build_graph(config.nodes, config.output, input, test::ZeroWeights());
  const std::vector<Shape> shapes = infer_shapes(graph, input);
  EXPECT_EQ(shapes[static_cast<std::size_t>(graph.outputs()[0])].c, config.labels.size());

  std::int64_t parameters = 0;
  std::set<std::string> counted;  // networks at several scales share theirs
  double macs = 0;
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    for (const Constant& constant : node.constants)
      if (!constant.name.starts_with("running_") && counted.insert(constant.tensor.name).second)
        parameters += constant.tensor.elements();
    if (!std::holds_alternative<Conv2dParams>(node.params)) continue;
    std::vector<Shape> inputs;
    for (int value : node.inputs) inputs.push_back(shapes[static_cast<std::size_t>(value)]);
    macs += schema_of(node.params).cost(node.params, inputs, shapes[i]).flops / 2e9;
  }
  std::cout << published << ": " << parameters << " parameters, " << macs << " G multiply-adds\n";
  if (published.parameters > 0) {
    EXPECT_NEAR(static_cast<double>(parameters), static_cast<double>(published.parameters),
                static_cast<double>(published.parameters) * published.parameters_error);
  }
  if (published.giga_macs > 0) {
    EXPECT_NEAR(macs, published.giga_macs, published.giga_macs * published.macs_error);
  }
}

// Where no figure stands, the published one is of another stem (v3 and v3+ on ResNet: three 3x3
// convolutions), or there is none; the network is still built. torchvision's counts are less the auxiliary
// heads: 2,365,205 (ResNet) and 3,851 (MobileNetV3).
INSTANTIATE_TEST_SUITE_P(DeepLab, PublishedNetwork,
                         testing::Values(Published{"deeplabv1_largefov_vgg16", 0, 20'500'000, 1e-3, 0, 0},
                                         Published{"deeplabv2_vgg16_aspp_s", 0, 0, 0, 0, 0},
                                         Published{"deeplabv2_vgg16_aspp_l", 0, 0, 0, 0, 0},
                                         Published{"deeplabv2_resnet101", 0, 0, 0, 0, 0},
                                         Published{"deeplabv3_resnet50", 0, 42'004'074 - 2'365'205, 0, 0, 0},
                                         Published{"deeplabv3_resnet101", 0, 60'996'202 - 2'365'205, 0, 0, 0},
                                         Published{"fcn_resnet50", 0, 35'322'218 - 2'365'205, 0, 0, 0},
                                         Published{"deeplabv3_mobilenet_v3_large", 0, 11'029'328 - 3'851, 0,
                                                   0, 0},
                                         Published{"lraspp_mobilenet_v3_large", 0, 3'221'538, 0, 0, 0},
                                         Published{"deeplabv3_mobilenet_v2", 0, 0, 0, 2.75, 5e-3},
                                         Published{"deeplabv2_resnet101_msc", 0, 0, 0, 0, 0},
                                         Published{"deeplabv3_resnet101_multigrid", 0, 0, 0, 0, 0},
                                         Published{"deeplabv3plus_resnet101", 0, 0, 0, 0, 0},
                                         Published{"deeplabv3plus_xception65", 0, 0, 0, 54.17, 1e-2},
                                         Published{"deeplabv3plus_xception65", 8, 0, 0, 177.10, 1e-2},
                                         Published{"deeplabv3plus_xception41", 0, 0, 0, 0, 0},
                                         Published{"deeplabv3plus_xception71", 0, 0, 0, 0, 0}));

}  // namespace
}  // namespace atrous
