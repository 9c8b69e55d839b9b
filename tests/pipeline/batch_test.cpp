// SPDX-License-Identifier: Apache-2.0
// Folders through a small network: the same bytes however the work is spread, and failures that stay alone.
#include "pipeline/batch.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "core/error.h"
#include "core/files.h"
#include "image/codec.h"
#include "support/temp_folder.h"

namespace atrous {
namespace {

constexpr const char* kModel = R"(
name: tiny
labels: {classes: [background, left, right, shoe], flip_pairs: [[left, right]]}
input: {policy: long_side, size: 48, multiple: 4, offset: 1, scale: 1/255, mean: [0.5, 0.5, 0.5]}
network:
  - {name: a, op: conv2d, out: 16, kernel: 3, stride: 2, bias: true}
  - {name: a_relu, op: relu6}
  - {name: b, op: conv2d, kernel: 3, groups: depthwise, dilation: 2, bias: true}
  - {name: c, op: conv2d, out: 24, kernel: 3, dilation: 6, bias: true}
  - {name: c_relu, op: relu}
  - {name: logits, op: conv2d, out: 4, bias: true}
)";

class BatchTest : public testing::Test {
 protected:
  BatchTest() {
    std::mt19937 random(9);
    for (int i = 0; i < 7; ++i) {
      Image photo{i % 3 == 0 ? 60 : 44, i % 3 == 0 ? 40 : 52, {}};
      photo.rgb.resize(static_cast<std::size_t>(photo.width * photo.height * 3));
      for (std::size_t k = 0; k < photo.rgb.size(); ++k)
        photo.rgb[k] =
            static_cast<std::uint8_t>((k / 30U * static_cast<unsigned>(i + 3) + random() % 40U) % 256U);
      write_file(folder_ / ("in/" + std::to_string(i) + ".png"), encode_png(photo.view()));
    }
    ModelOptions options;
    options.random_weights = true;
    model_ = Model::open(folder_.write("tiny.yaml", kModel).string(), options);
  }

  std::map<std::string, std::string> run(const SegmentOptions& segment, int workers, int batch,
                                         std::size_t in_flight = std::size_t{1} << 30U) {
    BatchOptions options{folder_ / "out", {true, true, true, true}, workers, batch};
    options.bytes_in_flight = in_flight;
    std::vector<std::string> order;
    const InputList inputs = list_inputs({(folder_ / "in").string()}, false);
    summary_ = run_batch({model_}, segment, options, inputs.files, [&](const ImageOutcome& outcome) {
      order.push_back(outcome.file.filename().string());
      errors_ += outcome.error;
    });
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "out")) {
      const std::vector<std::byte> bytes = read_file(entry.path());
      files[entry.path().filename()] = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }
    std::filesystem::remove_all(folder_ / "out");
    return files;
  }

  test::TempFolder folder_;
  std::shared_ptr<const Model> model_;
  BatchSummary summary_;
  std::string errors_;
};

TEST_F(BatchTest, SameBytesHoweverTheWorkIsSpread) {
  SegmentOptions segment;
  segment.threads = 1, segment.flip = true, segment.scales = {0.75, 1};
  segment.crf = "iterations=2", segment.superpixels = 40;
  const auto files = run(segment, 1, 1);
  EXPECT_EQ(files.size(), 28U);
  EXPECT_EQ(summary_.done, 7U);
  for (const auto& [threads, workers, batch] :
       std::vector<std::array<int, 3>>{{1, 1, 4}, {2, 1, 1}, {2, 2, 1}, {4, 3, 2}, {2, 1, 7}}) {
    segment.threads = threads;
    EXPECT_TRUE(run(segment, workers, batch) == files)
        << threads << " threads, " << workers << " workers, batches of " << batch;
    EXPECT_TRUE(run(segment, workers, batch, 1) == files) << "no more in flight than workers take at once";
  }
}

TEST_F(BatchTest, ABrokenImageFailsAlone) {
  folder_.write("in/3.png", "no image");
  folder_.write("in/5.png", "");
  const auto files = run({}, 2, 3);
  EXPECT_EQ(summary_.done, 5U);
  EXPECT_EQ(summary_.failed, 2U);
  EXPECT_EQ(files.size(), 20U);
  EXPECT_NE(errors_.find("5.png: is empty"), std::string::npos) << errors_;
}

TEST_F(BatchTest, NeverOverwritesAPhoto) {
  const InputList inputs = list_inputs({(folder_ / "in").string()}, false);
  BatchOptions options{folder_ / "in/../in", {}, 1, 1};
  EXPECT_THROW(refuse_to_overwrite(inputs.files, options), Error);
  options.folder = folder_ / "in/masks";
  refuse_to_overwrite(inputs.files, options);
}

TEST_F(BatchTest, AnUnwritableImageFailsAlone) {
  std::filesystem::create_directories(folder_ / "out/2.png");  // where a mask should go
  BatchOptions options{folder_ / "out", {}, 2, 1};
  const InputList inputs = list_inputs({(folder_ / "in").string()}, false);
  std::string errors;
  const BatchSummary summary = run_batch({model_}, {}, options, inputs.files,
                                         [&](const ImageOutcome& outcome) { errors += outcome.error; });
  EXPECT_EQ(summary.done, 6U);
  EXPECT_EQ(summary.failed, 1U);
  EXPECT_NE(errors.find("out/2.png: cannot be written: Is a directory"), std::string::npos) << errors;
  const std::filesystem::directory_iterator left(folder_ / "out");
  EXPECT_EQ(std::distance(left, {}), 7) << "a temporary file is left";
}

TEST_F(BatchTest, StopsWhenAsked) {
  for (const char* name : {"in/1.png", "in/2.png", "in/4.png"}) folder_.write(name, "no image");
  BatchOptions options{folder_ / "out", {}, 1, 1, 0};
  const InputList inputs = list_inputs({(folder_ / "in").string()}, false);
  for (const auto& [most, stops] : {std::pair(0, true), {2, true}, {3, false}}) {
    options.most_failures = static_cast<std::size_t>(most);
    const BatchSummary summary = run_batch({model_}, {}, options, inputs.files, [](const ImageOutcome&) {});
    EXPECT_EQ(summary.stopped, stops);
    EXPECT_GE(summary.failed, static_cast<std::size_t>(most + (stops ? 1 : 0)));
  }
  std::stop_source source;
  source.request_stop();
  const BatchSummary none = run_batch(
      {model_}, {}, options, inputs.files, [](const ImageOutcome&) {}, source.get_token());
  EXPECT_EQ(none.done + none.failed, 0U);
}

TEST_F(BatchTest, ThrowsWhatItsCallerThrows) {
  const InputList inputs = list_inputs({(folder_ / "in").string()}, false);
  int told = 0;
  EXPECT_THROW(run_batch({model_}, {}, {folder_ / "out", {}, 2}, inputs.files,
                         [&](const ImageOutcome&) {
                           if (++told == 2) throw std::length_error("no room");
                         }),
               std::length_error);
  EXPECT_GE(told, 2);
}

TEST_F(BatchTest, MirroredInferenceSwapsLeftAndRight) {
  Image photo{40, 40, std::vector<std::uint8_t>(4800)};
  std::mt19937 random(2);
  for (std::uint8_t& level : photo.rgb) level = static_cast<std::uint8_t>(random());
  Image mirrored = photo;
  for (std::size_t y = 0; y < 40; ++y)
    for (std::size_t x = 0; x < 40; ++x)
      for (std::size_t c = 0; c < 3; ++c)
        mirrored.rgb[(y * 40 + x) * 3 + c] = photo.rgb[(y * 40 + 39 - x) * 3 + c];
  SegmentOptions options;
  options.flip = options.want_probabilities = true;
  Segmenter segmenter(model_, options);
  const SegmentResult a = segmenter.run(photo.view()), b = segmenter.run(mirrored.view());
  constexpr std::size_t kSwap[] = {0, 2, 1, 3};
  double worst = 0;
  for (std::size_t y = 0; y < 40; ++y)
    for (std::size_t x = 0; x < 40; ++x)
      for (std::size_t c = 0; c < 4; ++c)
        worst = std::max(worst, std::abs(double{a.probabilities.pixel(y * 40 + x)[c]} -
                                         double{b.probabilities.pixel(y * 40 + 39 - x)[kSwap[c]]}));
  EXPECT_LT(worst, 1e-5);
}

TEST_F(BatchTest, RefusesOptionsThatMakeNoSense) {
  SegmentOptions options;
  options.scales = {};
  EXPECT_THROW(Segmenter(model_, options), Error);
  options.scales = {0};
  EXPECT_THROW(Segmenter(model_, options), Error);
  options.scales = {1}, options.crf = "bilateral_sxy=-1";
  EXPECT_THROW(Segmenter(model_, options), Error);
  options.crf.reset(), options.superpixels = -4;
  EXPECT_THROW(Segmenter(model_, options), Error);
  ModelOptions cuda;
  cuda.device = "cuda";
  EXPECT_THROW(Model::open("", cuda), Error);
  EXPECT_THROW(Model::open("no-such-model"), Error);
}

}  // namespace
}  // namespace atrous
