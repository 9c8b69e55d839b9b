// SPDX-License-Identifier: Apache-2.0
// The targets without libFuzzer: on a corpus of broken files, which they must refuse, on whole files, which
// they must take, and on mutations of these. The sanitizer builds watch. ATROUS_FUZZ_ROUNDS and
// ATROUS_FUZZ_SEED make a longer or another run.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <vector>

#include "core/files.h"
#include "fuzz/targets.h"
#include "support/mutate.h"
#include "support/temp_folder.h"

#ifdef ATROUS_SANITIZED
/// A file of some bytes that asks for more than this is believed too much.
extern "C" [[gnu::visibility("default")]] const char* __asan_default_options() {
  return "max_allocation_size_mb=512";
}
#endif

namespace atrous::fuzz {
namespace {

struct Target {
  void (*read)(const fs::path&);
  std::string special;  ///< characters with a meaning
  unsigned rounds;      ///< mutations of each whole file
};

const std::string kPunctuation = "{}[]:,-\"$&*0";

const std::map<std::string, Target> kTargets = {
    {"boxes", {boxes, ",.-09e#\"\n", 2000}},
    {"config", {config, kPunctuation, 500}},
    {"crf", {crf, ",=.-09en", 2000}},
    {"http", {http, "\r\n :;,=&?%/-\"019", 300}},
    {"image", {image, std::string("\0\1\x7f\xff\xd8\xd9\xda", 7), 120}},
    {"labels", {labels, kPunctuation, 500}},
    {"mask", {mask, std::string("\0\1\x7f\xff", 4), 500}},
    {"network", {network, kPunctuation, 1000}},
    {"npy", {npy, "(),': -0189", 800}},
    {"onnx", {onnx, std::string("\0\1\3\x7f\x80\xff\n\x12", 8), 200}},
    {"safetensors", {safetensors, "{}[]:,-\"0189", 1500}},
};

unsigned from_environment(const char* name, unsigned fallback) {
  const char* text = std::getenv(name);
  return text != nullptr ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : fallback;
}

class Fuzz : public testing::TestWithParam<std::string> {
 protected:
  const Target& target_ = kTargets.at(GetParam());

  /// The target's files in tests/fuzz/KIND; at least one.
  std::vector<fs::path> files(const std::string& kind) const {
    const fs::directory_iterator folder(fs::path(ATROUS_TEST_SOURCE_DIR) / "tests/fuzz" / kind / GetParam());
    std::vector<fs::path> found(begin(folder), end(folder));
    EXPECT_FALSE(found.empty());
    std::sort(found.begin(), found.end());
    return found;
  }

  /// True if the file was taken.
  bool takes(const fs::path& file) const {
    try {
      target_.read(file);
      return true;
    } catch (const Error& error) {
      EXPECT_TRUE(is_one_line(error)) << error.message();
    }
    return false;
  }
};

TEST_P(Fuzz, RefusesTheCorpusInOneLine) {
  for (const fs::path& file : files("corpus")) EXPECT_FALSE(takes(file)) << file;
}

TEST_P(Fuzz, SurvivesMutations) {
  const unsigned seed = from_environment("ATROUS_FUZZ_SEED", 77);
  const unsigned rounds = from_environment("ATROUS_FUZZ_ROUNDS", target_.rounds);
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const test::TempFolder folder;
  for (const fs::path& file : files("seeds")) {
    EXPECT_TRUE(takes(file)) << file;
    const std::vector<std::byte> bytes = read_file(file);
    const std::string content(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    unsigned refused = 0;
    for (unsigned i = 0; i < rounds; ++i)
      refused += takes(folder.write("file", test::mutate(content, random, target_.special))) ? 0 : 1;
    EXPECT_GT(refused, 0U) << "mutations that break nothing test nothing";
  }
}

std::vector<std::string> names() {
  std::vector<std::string> names;
  for (const auto& [name, target] : kTargets) names.push_back(name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Targets, Fuzz, testing::ValuesIn(names()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace atrous::fuzz
