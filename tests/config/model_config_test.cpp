// SPDX-License-Identifier: Apache-2.0
#include "config/model_config.h"

#include <gtest/gtest.h>

#include <fstream>

#include "config/safetensors.h"
#include "config/weights.h"
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

/// A model whose weights are these files, of one tensor of two numbers each.
class Weights : public testing::Test {
 protected:
  std::string open(const std::string& names, bool random = false) const {
    const auto file = folder_.write(
        "m.yaml", "labels: 2\ninput: {}\nnetwork:\n  - {name: a, op: relu}\nweights: " + names + "\n");
    try {
      return open_weights(load_model_config(file, {}), random)->describe();
    } catch (const Error& error) {
      return error.message();
    }
  }
  void write(const std::string& file, const std::string& tensor) const {
    const std::vector<TensorRef> tensors{make_tensor_ref(tensor, {2}, {1, 2})};
    write_safetensors(folder_ / file, tensors);
  }
  std::string path(const std::string& file) const { return (folder_ / file).string(); }

  const test::TempFolder folder_;
};

TEST_F(Weights, OfSeveralFilesAreOne) {
  write("a.safetensors", "x");
  write("b.safetensors", "y");
  EXPECT_EQ(open("a.safetensors"), path("a.safetensors"));
  EXPECT_EQ(open("[a.safetensors, b.safetensors]"), path("a.safetensors") + ", " + path("b.safetensors"));
  const auto both = open_weights(load_model_config(folder_ / "m.yaml", {}), false);
  EXPECT_EQ(both->find("x", {})->name, "x");
  EXPECT_EQ(both->find("y", {})->name, "y");
  EXPECT_FALSE(both->find("z", {}));
}

TEST_F(Weights, NameTheFilesThatAreWrong) {
  write("a.safetensors", "x");
  write("b.safetensors", "x");
  EXPECT_EQ(open("[a.safetensors, b.safetensors]"),
            "tensor 'x' is in both " + path("a.safetensors") + " and " + path("b.safetensors"));
  EXPECT_EQ(
      open("[a.safetensors, c.safetensors]"),
      path("m.yaml") +
          ": its weights 'c.safetensors' are neither beside it nor in a models/ folder of the model path");
  EXPECT_EQ(open("[a.safetensors, c.safetensors]", true), "random weights");
  EXPECT_EQ(open("[]"), path("m.yaml") + ": names no 'weights'");
  EXPECT_EQ(open("{a: b}"), path("m.yaml") + ":5: 'weights' must be a word or a list of them, not a map");
  EXPECT_EQ(open("a.safetensors", true), path("a.safetensors"));
}

}  // namespace
}  // namespace atrous
