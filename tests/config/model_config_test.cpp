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

/// What a config with this `weights_from:` gives, or the message that refuses it.
std::string read_origin(const std::string& weights_from) {
  const test::TempFolder folder;
  const auto file = folder.write(
      "m.yaml", "labels: 2\ninput: {}\nnetwork:\n  - {name: a, op: relu}\nweights_from: " + weights_from);
  try {
    const auto origin = load_model_config(file, {}).weights_from;
    return origin ? fmt::format("{}|{}|{}|{}|{}", origin->file, origin->publisher, origin->url,
                                origin->import, origin->none)
                  : "nothing";
  } catch (const Error& error) {
    return error.message().substr(file.string().size());
  }
}

TEST(WeightsFrom, IsOneFileAndItsImportOrAReason) {
  EXPECT_EQ(read_origin("{file: a.pth, publisher: someone, import: do it}"), "a.pth|someone||do it|");
  EXPECT_EQ(read_origin("{file: a, publisher: b, import: c, url: \"https://d.e/f?g=0\"}"),
            "a|b|https://d.e/f?g=0|c|");
  EXPECT_EQ(read_origin("{none: never released}"), "||||never released");
  const std::string either =
      ":5: weights_from: must have 'file', 'publisher' and 'import', and may have 'url', or have 'none' "
      "alone";
  for (const char* part : {"{}", "{file: a, publisher: b}", "{file: a, import: c}",
                           "{publisher: b, import: c}", "{url: \"https://d.e\"}",
                           "{none: a, url: \"https://d.e\"}", "{none: a, file: a, publisher: b, import: c}"})
    EXPECT_EQ(read_origin(part), either) << part;
  EXPECT_EQ(read_origin("{file: a, publisher: b, import: c, url: d.e/f}"),
            ":5: weights_from: 'url' must begin with https:// or http://, not 'd.e/f'");
  EXPECT_EQ(read_origin("{file: a, publisher: b, imports: c}"),
            ":5: weights_from: unknown key 'imports' (did you mean 'import'?)");
  EXPECT_EQ(read_origin("{file: [a], publisher: b, import: c}"),
            ":5: weights_from: 'file' must be a word, not a list");
  EXPECT_EQ(read_origin("somewhere"), ":5: weights_from: must be a map of keys to values");
}

TEST(WeightsFrom, IsInEveryShippedConfigWithoutWeights) {
  const std::filesystem::path root = ATROUS_TEST_SOURCE_DIR;
  int with_weights = 0, with_origin = 0;
  for (const char* folder : {"deeplab", "parsing"})
    for (const auto& entry : std::filesystem::directory_iterator(root / "configs" / folder)) {
      const ModelConfig config = load_model_config(entry.path(), {root / "configs", root / "models"});
      EXPECT_TRUE(config.has_weights() || config.weights_from) << entry.path();
      EXPECT_FALSE(config.weights.empty()) << entry.path();
      with_weights += config.has_weights() ? 1 : 0;
      with_origin += config.weights_from ? 1 : 0;
    }
  EXPECT_GE(with_weights, 2);
  EXPECT_GE(with_origin, 22);
}

}  // namespace
}  // namespace atrous
