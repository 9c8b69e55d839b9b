// SPDX-License-Identifier: Apache-2.0
#include "config/model_config.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/error.h"
#include "support/temp_folder.h"

namespace atrous {
namespace {

/// The input section of a model whose YAML has this `input:`.
InputSpec read_input(const std::string& input) {
  const test::TempFolder folder;
  const std::filesystem::path file = folder.path() / "m.yaml";
  std::ofstream(file) << "labels: 2\nnetwork:\n  - {name: a, op: conv2d, out: 2}\ninput: " << input << "\n";
  return load_model_config(file, {}).input;
}

TEST(Input, MeanAndStdAreOneNumberOrThree) {
  using Three = std::array<float, 3>;
  EXPECT_EQ(read_input("{}").mean, (Three{0, 0, 0}));
  EXPECT_EQ(read_input("{mean: 0.5, std: [0.25]}").mean, (Three{0.5F, 0.5F, 0.5F}));
  EXPECT_EQ(read_input("{mean: 0.5, std: [0.25]}").std, (Three{0.25F, 0.25F, 0.25F}));
  EXPECT_EQ(read_input("{mean: [1, 2, 3]}").mean, (Three{1, 2, 3}));
  EXPECT_THROW(read_input("{mean: [1, 2]}"), Error);
  EXPECT_THROW(read_input("{std: 0}"), Error);
}

}  // namespace
}  // namespace atrous
