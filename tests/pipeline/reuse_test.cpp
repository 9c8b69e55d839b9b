// SPDX-License-Identifier: Apache-2.0
// Frames of a video: what did not change is not computed again, and nothing of it shows in the results.
#include <gtest/gtest.h>

#include <random>

#include "pipeline/segmenter.h"
#include "support/temp_folder.h"

namespace atrous {
namespace {

/// Output stride 8, pooling over the map, so that a tile depends on all of its window.
constexpr const char* kNetwork = R"(
labels: {classes: [background, left, right, shoe], flip_pairs: [[left, right]]}
input: {policy: native, size: 64, mean: 0.5}
network:
  - {name: a, op: conv2d, out: 8, kernel: 3, stride: 4, bias: true}
  - {name: a_relu, op: relu}
  - {name: b, op: conv2d, out: 8, kernel: 3, stride: 2, bias: true}
  - {name: mean, op: global_average_pool}
  - {name: wide, op: resize, like: true, inputs: [mean, b]}
  - {name: both, op: concat, inputs: [b, wide]}
  - {name: logits, op: conv2d, out: 4, bias: true}
)";

class Reuse : public testing::Test {
 protected:
  Reuse() {
    ModelOptions random;
    random.random_weights = true;
    random.device = "cpu";
    model_ = Model::open(folder_.write("m.yaml", kNetwork).string(), random);
  }

  static Image frame(int width = 150, int height = 110, unsigned seed = 1) {
    std::mt19937 random(seed);
    Image image{width, height, {}};
    image.rgb.resize(static_cast<std::size_t>(width * height * 3));
    for (std::uint8_t& value : image.rgb) value = static_cast<std::uint8_t>(random() % 64U);
    return image;
  }
  static void touch(Image& image, int x, int y) {
    image.rgb[static_cast<std::size_t>(3 * (y * image.width + x) + 1)] ^= 0x80U;
  }
  static SegmentOptions tiles(int size) {
    SegmentOptions options;
    options.tile.size = size;
    options.want_probabilities = true;
    return options;
  }

  /// The frames one after the other give what each gives alone; the tiles that were reused, frame by frame.
  std::vector<std::int64_t> run(SegmentOptions options, const std::vector<Image>& frames) {
    Segmenter plain(model_, options);
    options.reuse = true;
    Segmenter reusing(model_, options);
    std::vector<std::int64_t> reused;
    for (const Image& image : frames) {
      const SegmentResult wanted = plain.run(image.view()), got = reusing.run(image.view());
      EXPECT_EQ(got.labels.ids, wanted.labels.ids);
      EXPECT_EQ(got.probabilities.values, wanted.probabilities.values);
      EXPECT_EQ(wanted.tiles.reused, 0);
      EXPECT_EQ(got.tiles.all, wanted.tiles.all);
      reused.push_back(got.tiles.reused);
    }
    return reused;
  }

  const test::TempFolder folder_;
  std::shared_ptr<const Model> model_;
};

using Counts = std::vector<std::int64_t>;

TEST_F(Reuse, AStillFrameIsNotComputedAgain) {
  const Image a = frame(), b = frame(150, 110, 2), other_size = frame(110, 150);
  EXPECT_EQ(run(tiles(0), {a, a, b, b, a, other_size, other_size}), (Counts{0, 1, 0, 1, 0, 0, 1}));
  const auto count =
      static_cast<std::int64_t>(Tiling(model_->network()->graph(), model_->config().input, {64, {}})
                                    .plan(150, 110, std::vector{1.0}, false)
                                    .count());
  EXPECT_GT(count, 5);
  EXPECT_EQ(run(tiles(64), {a, a, b, a}), (Counts{0, count, 0, 0}));
}

TEST_F(Reuse, OnePixelConcernsTheTilesThatSeeIt) {
  const SegmentOptions options = tiles(64);
  const TilePlan plan = Tiling(model_->network()->graph(), model_->config().input, options.tile)
                            .plan(150, 110, options.scales, options.flip);
  const Pass& pass = plan.passes[0];
  auto seen_by = [](const std::vector<int>& begins, int window, int at) {
    return std::count_if(begins.begin(), begins.end(),
                         [&](int begin) { return begin <= at && at < begin + window; });
  };
  std::vector<Image> frames{frame()};
  Counts wanted{0};
  for (int y = 1; y < 110; y += 12)
    for (int x = 2; x < 150; x += 12) {
      frames.push_back(frames.back());
      touch(frames.back(), x, y);
      wanted.push_back(static_cast<std::int64_t>(plan.count()) -
                       seen_by(pass.columns, pass.window_width, x) *
                           seen_by(pass.rows, pass.window_height, y));
    }
  EXPECT_EQ(run(options, frames), wanted);
}

TEST_F(Reuse, RefinementScalesAndMirrorsSeeMore) {
  std::vector<Image> frames(3, frame());
  touch(frames[1], 0, 0), touch(frames[2], 0, 0), touch(frames[2], 149, 109);
  SegmentOptions passes = tiles(64), refined = tiles(64), whole = tiles(0);
  passes.scales = {0.75, 1.25}, passes.flip = true;
  refined.crf = "iterations=1", refined.superpixels = 50;
  whole.crf = "iterations=1";
  for (const SegmentOptions& options : {passes, refined}) {
    const Counts reused = run(options, frames);
    for (std::size_t i = 1; i < reused.size(); ++i) EXPECT_GT(reused[i], 0) << i;
  }
  EXPECT_EQ(run(whole, frames), (Counts{0, 0, 0}));
}

TEST_F(Reuse, ShiftsAndPhotosInOneRunAreNoTrouble) {
  const Image a = frame(190, 110);
  std::vector<ImageView> views;  // a camera that pans, by steps that tiles have too
  for (int x = 0; x <= 40; x += 8) views.push_back(cut(a.view(), {x, 0, 150, 110}));
  views.insert(views.end(), 2, views.back());
  SegmentOptions options = tiles(64);
  Segmenter plain(model_, options);
  options.reuse = true;
  Segmenter reusing(model_, options);
  const std::vector<SegmentResult> together = reusing.run(views);
  for (std::size_t i = 0; i < views.size(); ++i) {
    EXPECT_EQ(together[i].labels.ids, plain.run(views[i]).labels.ids) << i;
    EXPECT_EQ(together[i].tiles.reused, i + 2 < views.size() ? 0 : together[i].tiles.all) << i;
  }
}

}  // namespace
}  // namespace atrous
