// SPDX-License-Identifier: Apache-2.0
// A shipped config of every family on CUDA, executed by the emulation layer, against the CPU, whose agreement
// with the source frameworks tests/import shows: random weights with batch norms that matter, a small photo.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "backend/cuda/cuda_backend.h"
#include "config/model_config.h"
#include "graph/builder.h"
#include "graph/executor.h"
#include "support/run_network.h"

namespace atrous {
namespace {

struct Family {
  const char* config;
  DType dtype;
  double tolerance;  ///< root of the mean squared error, as a share of the scores'
};

double root_mean_square(const std::vector<float>& values) {
  double sum = 0;
  for (float v : values) sum += double{v} * v;
  return std::sqrt(sum / static_cast<double>(values.size()));
}

class CudaFamily : public testing::TestWithParam<Family> {};

TEST_P(CudaFamily, AgreesWithTheCpu) {
  const std::filesystem::path configs = std::filesystem::path(ATROUS_TEST_SOURCE_DIR) / "configs";
  const ModelConfig config =
      load_model_config(configs / (std::string(GetParam().config) + ".yaml"), {configs}, {});
  constexpr Shape kInput{1, 33, 33, 3};
  const Graph graph = build_graph(config.nodes, config.output, kInput, RandomWeights(5));
  PlanOptions options;
  options.dtype = GetParam().dtype;
  const std::vector<float> input = test::noise(kInput, 6);
  Executor cpu(std::make_shared<Network>(graph, kInput, make_backend({})), 2);
  Executor cuda(std::make_shared<Network>(graph, kInput, make_cuda_backend(0), options));
  const std::vector<float> wanted = test::run(cpu, kInput, input);
  std::vector<float> error = test::run(cuda, kInput, input);
  ASSERT_EQ(error.size(), wanted.size());
  for (std::size_t i = 0; i < error.size(); ++i) error[i] -= wanted[i];
  EXPECT_GT(root_mean_square(wanted), 0);
  EXPECT_LE(root_mean_square(error), GetParam().tolerance * root_mean_square(wanted));
}

// Random weights make the values of ResNet-101 and Xception too large for half precision.
constexpr double kSingle = 1e-4, kHalf = 1e-2;
INSTANTIATE_TEST_SUITE_P(Shipped, CudaFamily,
                         testing::Values(Family{"deeplab/deeplabv1_largefov_vgg16", DType::f16, kHalf},
                                         Family{"deeplab/deeplabv2_vgg16_aspp_l", DType::f16, kHalf},
                                         Family{"deeplab/deeplabv2_resnet101", DType::f32, kSingle},
                                         Family{"deeplab/deeplabv3_resnet50", DType::f32, kSingle},
                                         Family{"deeplab/deeplabv3_resnet50", DType::f16, kHalf},
                                         Family{"deeplab/deeplabv3_mobilenet_v3_large", DType::f32, kSingle},
                                         Family{"deeplab/deeplabv3_mobilenet_v3_large", DType::f16, kHalf},
                                         Family{"deeplab/deeplabv3plus_mobilenet_v2", DType::f32, kSingle},
                                         Family{"deeplab/deeplabv3plus_mobilenet_v2", DType::f16, kHalf},
                                         Family{"deeplab/deeplabv3plus_xception41", DType::f32, kSingle},
                                         Family{"deeplab/lraspp_mobilenet_v3_large", DType::f16, kHalf},
                                         Family{"parsing/clothing-lite0", DType::f32, kSingle},
                                         Family{"parsing/clothing-lite0", DType::f16, kHalf}),
                         [](const auto& test) {
                           std::string name = std::filesystem::path(test.param.config).filename().string();
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name + (test.param.dtype == DType::f32 ? "_f32" : "_f16");
                         });

}  // namespace
}  // namespace atrous
