// SPDX-License-Identifier: Apache-2.0
// Every parser of files from outside, on a corpus of broken files and on mutations of good ones. What it does
// not take must end in an Error of one line, never in a crash (the sanitizer builds watch).
// ATROUS_FUZZ_ROUNDS and ATROUS_FUZZ_SEED make a longer or another run.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <opencv2/imgcodecs.hpp>
#include <random>

#include "config/labels.h"
#include "config/model_config.h"
#include "config/model_path.h"
#include "config/modules.h"
#include "config/safetensors.h"
#include "config/yaml.h"
#include "core/error.h"
#include "core/files.h"
#include "image/codec.h"
#include "image/npy.h"
#include "import/onnx_import.h"
#include "pipeline/box_list.h"
#include "refine/crf_params.h"
#include "support/mutate.h"
#include "support/onnx_writer.h"
#include "support/temp_folder.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;

unsigned from_environment(const char* name, unsigned fallback) {
  const char* text = std::getenv(name);
  return text != nullptr ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : fallback;
}

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string encoded(const std::string& extension) {
  cv::Mat image(20, 24, CV_8UC3);
  for (int i = 0; i < 20 * 24 * 3; ++i) image.data[i] = static_cast<unsigned char>(i * i / 7);
  std::vector<unsigned char> bytes;
  cv::imencode(extension, image, bytes);
  return {bytes.begin(), bytes.end()};
}

/// One tensor of two floats and one of two halves.
std::string safetensors() {
  const std::string header =
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F16","shape":[1,2],"data_offsets":[8,12]}})";
  return std::string{static_cast<char>(header.size()), 0, 0, 0, 0, 0, 0, 0} + header + std::string(12, '\1');
}

/// A parser of a kind of file. `corpus` is its folder of broken files, which it must refuse.
struct Target {
  std::string corpus;
  std::function<void(const fs::path&)> parse;
  std::vector<std::string> seeds;  ///< whole files, which it must take
  std::string special;             ///< characters with a meaning
  unsigned rounds;                 ///< mutations
};

void expand(const fs::path& file) { expand_network(load_yaml(file), "", Value::map({}), BlockLibrary()); }

std::map<std::string, Target> targets() {
  const std::string config = text_of(read_file(find_model(kDefaultModel))),
                    networks = text_of(read_file(find_model("atr-2015")));
  const std::string labels =
      text_of(read_file(fs::path(ATROUS_TEST_SOURCE_DIR) / "configs/labels/clothing.yaml"));
  const std::string network =
      "- {name: a, op: conv2d, out: \"${2*3}\", kernel: [3, 3]}\n- {name: b, op: relu, repeat: 2, when: 1}\n"
      "- {name: c, op: add, inputs: [a, b.0]}\n";
  LabelSet set;
  set.classes = {{"a", {0, 0, 0}}, {"b", {1, 2, 3}}};
  const std::string mask = text_of(encode_mask({6, 4, std::vector<std::uint8_t>(24, 1)}, set));
  const std::string npy = text_of(encode_npy({3, 2, 2, std::vector<float>(12, 0.5F)}));
  const std::string punctuation = "{}[]:,-\"$&*0";
  return {
      {"config",
       {"config",
        [](const fs::path& f) { load_model_config(f, search_folders()); },
        {config, networks},
        punctuation,
        300}},
      {"network", {"network", expand, {network}, punctuation, 2000}},
      {"labels",
       {"labels", [](const fs::path& f) { parse_labels(load_yaml(f)); }, {labels}, punctuation, 500}},
      {"safetensors",
       {"safetensors",
        [](const fs::path& f) { SafetensorsFile opened(f); },
        {safetensors()},
        "{}[]:,-\"0189",
        3000}},
      {"npy", {"npy", [](const fs::path& f) { load_npy(f); }, {npy}, "(),': -0189", 2000}},
      {"mask",
       {"mask", [](const fs::path& f) { load_mask(f); }, {mask}, std::string("\0\1\x7f\xff", 4), 1500}},
      {"image",
       {"image",
        [](const fs::path& f) { load_image(f); },
        {encoded(".jpg"), encoded(".png"), encoded(".webp"), encoded(".tiff"), encoded(".bmp")},
        std::string("\0\1\x7f\xff\xd8\xd9\xda", 7),
        250}},
      {"crf",
       {"crf",
        [](const fs::path& f) { parse_crf(text_of(read_file(f))); },
        {"deeplab-v1,iterations=3,bilateral_sxy=40.5,normalization=after"},
        ",=.-09en",
        2000}},
      {"boxes",
       {"boxes",
        [](const fs::path& f) { load_boxes(f); },
        {"file,x,y,w,h\n# people\na.png,1,2,30,40\n\"b, \"\"c\"\".png\",-1.5,0,1e2,3\r\n"},
        ",.-09e#\"\n",
        2000}},
      {"onnx",
       {"onnx",
        [](const fs::path& f) { import_onnx(f).check(f.parent_path()); },
        {test::toy_onnx()},
        std::string("\0\1\3\x7f\x80\xff\n\x12", 8),
        3000}},
  };
}

class Fuzz : public testing::TestWithParam<std::string> {
 protected:
  const Target target_ = targets().at(GetParam());

  /// True if the file was taken.
  bool parse(const fs::path& file) const {
    try {
      target_.parse(file);
      return true;
    } catch (const Error& error) {
      EXPECT_FALSE(error.message().empty());
      EXPECT_EQ(error.message().find('\n'), std::string::npos) << error.message();
      EXPECT_LT(error.message().size(), 2000U) << error.message();
    }
    return false;
  }
};

TEST_P(Fuzz, RefusesTheCorpusInOneLine) {
  const fs::path folder = fs::path(ATROUS_TEST_SOURCE_DIR) / "tests/fuzz/corpus" / target_.corpus;
  int files = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    EXPECT_FALSE(parse(entry.path())) << entry.path();
    ++files;
  }
  EXPECT_GT(files, 0);
}

TEST_P(Fuzz, SurvivesMutations) {
  const unsigned seed = from_environment("ATROUS_FUZZ_SEED", 77);
  const unsigned rounds = from_environment("ATROUS_FUZZ_ROUNDS", target_.rounds);
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const test::TempFolder folder;
  for (const std::string& content : target_.seeds) {
    EXPECT_TRUE(parse(folder.write("file", content)));
    unsigned refused = 0;
    for (unsigned i = 0; i < rounds; ++i)
      refused += parse(folder.write("file", test::mutate(content, random, target_.special))) ? 0 : 1;
    EXPECT_GT(refused, 0U) << "mutations that break nothing test nothing";
  }
}

INSTANTIATE_TEST_SUITE_P(Parsers, Fuzz,
                         testing::Values("config", "network", "labels", "safetensors", "npy", "mask", "image",
                                         "crf", "boxes", "onnx"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace atrous
