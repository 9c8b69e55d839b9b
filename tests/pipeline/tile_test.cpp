// SPDX-License-Identifier: Apache-2.0
// Photos in tiles: how they are cut, and that tiles give what the whole photo gives where no tile sees its
// border.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "core/error.h"
#include "graph/builder.h"
#include "pipeline/segmenter.h"
#include "support/temp_folder.h"

namespace atrous {
namespace {

constexpr const char* kHead =
    "labels: {classes: [background, left, right, shoe], flip_pairs: [[left, right]]}\n";

/// Output stride 8, then rates as DeepLab v2 has them; corners aligned, extents of 8k + 1.
constexpr const char* kStride8 = R"(
input: {policy: native, size: 65, mean: [0.5, 0.4, 0.3], multiple: 8, offset: 1}
resize: align_corners
fusion: max
network:
  - {name: a, op: conv2d, out: 8, kernel: 3, stride: 2, bias: true}
  - {name: a_relu, op: relu}
  - {name: pool, op: max_pool, kernel: 3, stride: 2, padding: 1, ceil_mode: true}
  - {name: b, op: conv2d, out: 8, kernel: 3, stride: 2, bias: true}
  - {name: c, op: conv2d, out: 8, kernel: 3, dilation: 2, bias: true}
  - {name: c_relu, op: relu}
  - {name: near, op: conv2d, out: 4, kernel: 3, dilation: 2, bias: true, input: c_relu}
  - {name: far, op: conv2d, out: 4, kernel: 3, dilation: 4, bias: true, input: c_relu}
  - {name: sum, op: add, inputs: [near, far]}
)";

/// Output stride 16 with TensorFlow's padding, which depends on the extent.
constexpr const char* kStride16 = R"(
input: {policy: native, size: 64, mean: 0.5}
network:
  - {name: a, op: conv2d, out: 8, kernel: 3, stride: 2, padding: same, bias: true}
  - {name: a_relu, op: relu6}
  - {name: b, op: conv2d, out: 8, kernel: 3, stride: 2, padding: same, groups: depthwise}
  - {name: c, op: conv2d, out: 12, kernel: 3, stride: 2, padding: same, bias: true}
  - {name: d, op: conv2d, out: 12, kernel: 4, stride: 2, padding: same, bias: true}
  - {name: d_relu, op: relu}
  - {name: e, op: conv2d, out: 12, kernel: 3, dilation: 2, groups: depthwise}
  - {name: logits, op: conv2d, out: 4, bias: true}
)";

/// A decoder: upsampling within the network to the extent of an earlier map. % is the resize's further keys.
constexpr const char* kDecoder = R"(
input: {policy: long_side, size: 40, mean: 0.5}
network:
  - {name: a, op: conv2d, out: 8, kernel: 3, stride: 4, bias: true}
  - {name: a_relu, op: relu}
  - {name: b, op: conv2d, out: 8, kernel: 3, stride: 4, bias: true}
  - {name: b_relu, op: relu}
  - {name: c, op: conv2d, out: 8, kernel: 3, dilation: 2, bias: true}
  - {name: up, op: resize, like: true, inputs: [c, a_relu]%}
  - {name: both, op: concat, inputs: [up, a_relu]}
  - {name: logits, op: conv2d, out: 4, kernel: 3, bias: true}
)";

std::string decoder(const std::string& keys) {
  std::string yaml = kDecoder;
  return yaml.replace(yaml.find('%'), 1, keys);
}

constexpr const char* kPooling = R"(
input: {policy: native, size: 64, mean: 0.5}
network:
  - {name: a, op: conv2d, out: 8, kernel: 3, stride: 4, bias: true}
  - {name: mean, op: global_average_pool}
  - {name: wide, op: resize, like: true, inputs: [mean, a]}
  - {name: both, op: concat, inputs: [a, wide]}
  - {name: logits, op: conv2d, out: 4, bias: true}
)";

class Tiles : public testing::Test {
 protected:
  std::shared_ptr<const Model> open(const std::string& yaml) const {
    ModelOptions random;
    random.random_weights = true;
    random.device = "cpu";
    return Model::open(folder_.write("m.yaml", kHead + yaml).string(), random);
  }

  static Image photo(int width, int height, unsigned seed = 3) {
    std::mt19937 random(seed);
    Image image{width, height, {}};
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x)
        for (int c = 0; c < 3; ++c)
          image.rgb.push_back(static_cast<std::uint8_t>(127 + 90 * std::sin(0.05 * x + 0.09 * y * (c + 1)) +
                                                        static_cast<double>(random() % 61U) - 30));
    return image;
  }

  static SegmentOptions tiles(int size, std::optional<int> overlap = {}) {
    SegmentOptions options;
    options.tile = {size, overlap};
    return options;
  }

  /// Greatest difference of two results' probabilities, and how many labels differ where that is no near tie.
  struct Difference {
    double largest = 0;
    int labels = 0, pixels = 0;
  };
  static Difference compare(const SegmentResult& a, const SegmentResult& b) {
    Difference d;
    EXPECT_EQ(a.probabilities.values.size(), b.probabilities.values.size());
    for (std::size_t i = 0; i < a.probabilities.values.size(); ++i)
      d.largest = std::max(
          d.largest, static_cast<double>(std::abs(a.probabilities.values[i] - b.probabilities.values[i])));
    for (std::size_t i = 0; i < a.labels.ids.size(); ++i, ++d.pixels)
      if (a.labels.ids[i] != b.labels.ids[i]) ++d.labels;
    return d;
  }

  /// The photo through `whole` at once and through `model` in tiles: scores and labels, and labels alone.
  void expect_same(const std::string& whole, const std::string& model, const Image& image,
                   SegmentOptions options) {
    const std::shared_ptr<const Model> in_tiles = open(model);
    const Tiling tiling(in_tiles->network()->graph(), in_tiles->config().input, options.tile);
    EXPECT_EQ(tiling.note(), "");
    EXPECT_GT(tiling.plan(image.width, image.height, options.scales, options.flip).count(), 3U);
    SegmentOptions at_once = options;
    at_once.tile = {};
    for (const bool probabilities : {true, false}) {
      options.want_probabilities = at_once.want_probabilities = probabilities;
      const SegmentResult wanted = Segmenter(open(whole), at_once).run(image.view()),
                          got = Segmenter(in_tiles, options).run(image.view());
      ASSERT_EQ(got.labels.width, image.width);
      ASSERT_EQ(got.labels.height, image.height);
      const Difference d = compare(wanted, got);
      EXPECT_LE(d.largest, 1e-5);
      EXPECT_LE(d.labels, d.pixels / 20000) << "more than near ties";
      EXPECT_GT(std::count(wanted.labels.ids.begin(), wanted.labels.ids.end(), wanted.labels.ids[0]), 0);
      EXPECT_LT(std::count(wanted.labels.ids.begin(), wanted.labels.ids.end(), wanted.labels.ids[0]),
                d.pixels * 99 / 100)
          << "one class everywhere tests nothing";
    }
  }

  const test::TempFolder folder_;
};

TEST_F(Tiles, EqualTheWholePhotoAtStride8) {
  for (const auto& [width, height] : {std::pair(701, 530), std::pair(640, 433), std::pair(513, 513)})
    expect_same(kStride8, kStride8, photo(width, height), tiles(360));
}

TEST_F(Tiles, EqualTheWholePhotoAtStride16) {
  for (const auto& [width, height] : {std::pair(701, 529), std::pair(640, 480), std::pair(485, 727)})
    expect_same(kStride16, kStride16, photo(width, height), tiles(400));
}

TEST_F(Tiles, EqualTheWholePhotoThroughADecoder) {
  // the photo's own size in place of the config's
  auto native = [](std::string yaml, const std::string& size) {
    return yaml.replace(yaml.find("policy: long_side, size: 40"), 27, "policy: native, size: 64" + size);
  };
  expect_same(native(decoder(""), ", multiple: 16"), decoder(""), photo(601, 430), tiles(320));
  const std::string corners = decoder(", coordinates: align_corners") + "resize: align_corners\n";
  expect_same(native(corners, ", multiple: 16, offset: 1"), corners, photo(601, 430), tiles(320));
}

TEST_F(Tiles, EqualTheWholePhotoAtScalesAndMirrored) {
  SegmentOptions options = tiles(400);
  options.flip = true;
  expect_same(kStride8, kStride8, photo(699, 530), options);
  options.scales = {0.75, 1.25};
  expect_same(kStride8, kStride8, photo(501, 430), options);
  options.scales = {0.5, 1};
  options.flip = false;
  expect_same(kStride16, kStride16, photo(701, 430), options);
}

TEST_F(Tiles, GoTogetherInABatch) {
  const Image a = photo(500, 420, 1), b = photo(500, 420, 2);
  Segmenter segmenter(open(kStride8), tiles(300));
  const ImageView both[] = {a.view(), b.view()};
  const std::vector<SegmentResult> together = segmenter.run(both);
  EXPECT_EQ(together[0].labels.ids, segmenter.run(a.view()).labels.ids);
  EXPECT_EQ(together[1].labels.ids, segmenter.run(b.view()).labels.ids);
  EXPECT_NE(together[0].labels.ids, together[1].labels.ids);
}

TEST_F(Tiles, TooLittleOverlapIsSaidAndSeen) {
  const Image image = photo(701, 530);
  const std::shared_ptr<const Model> model = open(kStride8);
  SegmentOptions whole, cut = tiles(200, 0);
  whole.want_probabilities = cut.want_probabilities = true;
  Segmenter segmenter(model, cut);
  EXPECT_NE(segmenter.tile_note().find("overlap by 0 pixels"), std::string::npos) << segmenter.tile_note();
  EXPECT_GT(compare(Segmenter(model, whole).run(image.view()), segmenter.run(image.view())).largest, 1e-3);
}

TEST_F(Tiles, PoolingOverTheMapIsSaidAndSeen) {
  const Image image = photo(701, 530);
  const std::shared_ptr<const Model> model = open(kPooling);
  SegmentOptions whole, cut = tiles(256);
  whole.want_probabilities = cut.want_probabilities = true;
  Segmenter segmenter(model, cut);
  EXPECT_NE(segmenter.tile_note().find("pools over its whole input"), std::string::npos);
  EXPECT_GT(compare(Segmenter(model, whole).run(image.view()), segmenter.run(image.view())).largest, 1e-5);
  // one tile that holds the photo is the photo
  EXPECT_EQ(Segmenter(model, tiles(704)).run(image.view()).labels.ids,
            Segmenter(model, {}).run(image.view()).labels.ids);
}

TEST_F(Tiles, RefinementSeesATileAndHalfAnOverlap) {
  const Image image = photo(520, 400);
  const std::shared_ptr<const Model> model = open(kStride8);
  SegmentOptions plain = tiles(360), none = plain, crf = plain, superpixels = plain;
  plain.want_probabilities = none.want_probabilities = crf.want_probabilities = true;
  none.crf = "iterations=3,gaussian_weight=0,bilateral_weight=0";
  const SegmentResult a = Segmenter(model, plain).run(image.view()),
                      b = Segmenter(model, none).run(image.view());
  EXPECT_LE(compare(a, b).largest, 1e-5);
  crf.crf = "iterations=3,gaussian_sxy=2,gaussian_weight=9,bilateral_weight=0";  // sees less than that
  superpixels.superpixels = 400;
  for (const SegmentOptions& options : {crf, superpixels}) {
    SegmentOptions whole = options;
    whole.tile = {};
    const SegmentResult wanted = Segmenter(model, whole).run(image.view()),
                        got = Segmenter(model, options).run(image.view());
    const Difference d = compare(wanted, got);
    EXPECT_LT(d.labels, d.pixels / (options.superpixels ? 5 : 100));
    EXPECT_NE(got.labels.ids, a.labels.ids) << "refinement does something";
  }
}

TEST_F(Tiles, WhatCannotBeIsRefused) {
  const std::string dense =
      "input: {policy: stretch, size: 32}\nnetwork:\n"
      "  - {name: fc, op: fully_connected, out: 4}\n";
  auto message = [&](const std::string& yaml, const TileOptions& options) -> std::string {
    SegmentOptions segment;
    segment.tile = options;
    try {
      Segmenter(open(yaml), segment);
    } catch (const Error& error) {
      return error.message();
    }
    return "";
  };
  EXPECT_NE(message(dense, {256, {}}).find("node 'fc'"), std::string::npos);
  EXPECT_NE(message(kStride16, {40, {}}).find("64 at least"), std::string::npos)
      << message(kStride16, {40, {}});
  EXPECT_NE(message(kStride16, {256, 225}).find("between 0 and 224"), std::string::npos);
  EXPECT_NE(message(kStride16, {256, -1}).find("between 0 and 224"), std::string::npos);
  EXPECT_EQ(message(kStride16, {256, 224}), "");
}

TEST_F(Tiles, OverlapIsTheReceptiveFieldsWhereThatHelps) {
  auto overlap = [&](const std::string& yaml, int size) {
    const std::shared_ptr<const Model> model = open(yaml);
    return Tiling(model->network()->graph(), model->config().input, {size, {}}).overlap();
  };
  EXPECT_EQ(overlap(kStride8, 320), 160);
  EXPECT_EQ(overlap(kStride8, 2000), 160);
  EXPECT_EQ(overlap(kStride8, 318), 79);    // half a tile does not hold it
  EXPECT_LT(overlap(kPooling, 2000), 100);  // what is not pooled sees little
  EXPECT_EQ(overlap(kPooling, 64), 16);
}

TEST_F(Tiles, TooManyProbabilitiesAreRefusedBeforeTheWork) {
  const Image row{1, 1, {0, 0, 0}};
  SegmentOptions options = tiles(256);
  options.want_probabilities = true;
  // rows that share memory: only the extent counts
  const ImageView photo{row.rgb.data(), 1, 1 << 29, 0};
  try {
    Segmenter(open(kStride8), options).run(photo);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("probabilities of 4 classes for 1x536870912 pixels take 8.6 GB"),
              std::string::npos)
        << error.message();
  }
}

/// The plan alone, for many extents.
TEST_F(Tiles, PartitionThePhotoAndStayWithinIt) {
  const std::shared_ptr<const Model> model = open(kStride8);
  const Graph& graph = model->network()->graph();
  for (const int size : {64, 100, 255, 256, 1000})
    for (const int overlap : {0, 7, 32, 48})
      for (const int width : {1, 63, 64, 65, 257, 1000, 1001, 20000})
        for (const bool flip : {false, true})
          for (const std::vector<double>& scales : {std::vector<double>{1}, {0.5, 1}, {0.3, 1.7}}) {
            const Tiling tiling(graph, model->config().input, {size, overlap});
            const TilePlan plan = tiling.plan(width, 300, scales, flip);
            ASSERT_EQ(plan.passes.size(), scales.size() * (flip ? 2 : 1));
            int end = 0;
            for (std::size_t i = 0; i < plan.columns.size(); ++i) {
              ASSERT_EQ(plan.columns[i].begin, end);
              ASSERT_GT(plan.columns[i].size(), 0);
              end = plan.columns[i].end;
              ASSERT_LE(plan.seen_columns[i].begin, plan.columns[i].begin);
              ASSERT_GE(plan.seen_columns[i].end, plan.columns[i].end);
            }
            ASSERT_EQ(end, width);
            for (const Pass& pass : plan.passes) {
              const int extent = pass.geometry.width;
              ASSERT_LE(pass.window_width, extent);
              ASSERT_TRUE(pass.window_width <= size || size - overlap < 48)
                  << pass.window_width << " for tiles of " << size << ", overlap " << overlap;
              ASSERT_EQ((extent - pass.window_width) % 8, 0);
              ASSERT_EQ(pass.columns.size(), plan.columns.size());
              for (std::size_t i = 0; i < pass.columns.size(); ++i) {
                const int begin = pass.columns[i];
                ASSERT_TRUE(begin >= 0 && begin % 8 == 0 && begin + pass.window_width <= extent);
                const double zoom = static_cast<double>(pass.geometry.scaled_width) / width;
                double from = plan.columns[i].begin * zoom, to = plan.columns[i].end * zoom;
                if (pass.flip)
                  std::tie(from, to) =
                      std::pair(pass.geometry.scaled_width - to, pass.geometry.scaled_width - from);
                ASSERT_TRUE(begin == 0 || begin <= from - overlap / 2.0);
                ASSERT_TRUE(begin + pass.window_width == extent ||
                            begin + pass.window_width >= to + overlap / 2.0);
              }
            }
          }
}

}  // namespace
}  // namespace atrous
