// SPDX-License-Identifier: Apache-2.0
// Boxes of a photo through a small network: geometry, and results that agree with photos cut by hand.
#include "pipeline/crops.h"

#include <gtest/gtest.h>

#include <limits>

#include "core/error.h"
#include "support/temp_folder.h"

namespace atrous {
namespace {

constexpr const char* kPeopleModel = R"(
name: tiny
labels: {classes: [background, left, right, shoe]}
input: {policy: long_side, size: 32, multiple: 4, offset: 1, scale: 1/255, mean: [0.5, 0.5, 0.5]}
network:
  - {name: a, op: conv2d, out: 16, kernel: 3, stride: 2, bias: true}
  - {name: a_relu, op: relu6}
  - {name: logits, op: conv2d, out: 4, kernel: 3, bias: true}
)";

TEST(CropOf, EnlargesAboutTheCentreAndClips) {
  EXPECT_EQ(crop_of({10, 20, 30, 40}, 1, 100, 100), (Crop{10, 20, 30, 40}));
  EXPECT_EQ(crop_of({10, 20, 30, 40}, 1.2, 100, 100), (Crop{7, 16, 36, 48}));
  EXPECT_EQ(crop_of({10, 20, 30, 40}, 0.5, 100, 100), (Crop{17, 30, 16, 20}));
  EXPECT_EQ(crop_of({10, 20, 30, 40}, 10, 100, 80), (Crop{0, 0, 100, 80}));
  EXPECT_EQ(crop_of({-5, -5, 10, 10}, 1, 100, 100), (Crop{0, 0, 5, 5}));
  EXPECT_EQ(crop_of({99.5, 0.25, 7, 0.5}, 1, 100, 100), (Crop{99, 0, 1, 1}));
  EXPECT_EQ(crop_of({-1e9, -1e9, 1e9, 1e9}, 10, 100, 100), (Crop{0, 0, 100, 100}));
}

TEST(CropOf, RefusesWhatIsEmptyOrOutside) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  for (const PhotoBox& box : std::vector<PhotoBox>{{0, 0, 0, 5},
                                                   {0, 0, 5, 0},
                                                   {5, 5, -1, 2},
                                                   {100, 0, 5, 5},
                                                   {0, 80, 5, 5},
                                                   {-9, 0, 9, 9},
                                                   {0, 0, kInfinite, 5},
                                                   {std::nan(""), 0, 5, 5},
                                                   {1e300, 1e300, 1e300, 1e300}})
    EXPECT_THROW(crop_of(box, 1, 100, 80), Error) << box.x << "," << box.y << "," << box.width;
  for (double enlarge : {0.0, -1.0, 11.0, std::nan("")})
    EXPECT_THROW(crop_of({0, 0, 5, 5}, enlarge, 9, 9), Error);
}

class CropsTest : public testing::TestWithParam<bool> {
 protected:
  CropsTest() {
    ModelOptions options;
    options.random_weights = true;
    model_ = Model::open(folder_.write("tiny.yaml", kPeopleModel).string(), options);
    options_.want_probabilities = GetParam();
    if (GetParam()) options_.superpixels = 30;
    for (int i = 0; i < photo_.width * photo_.height * 3; ++i)
      photo_.rgb.push_back(static_cast<std::uint8_t>(i * i / 900 % 251 + i % 5));
  }

  std::vector<SegmentResult> segment(const std::vector<std::vector<Crop>>& crops, int most) {
    Segmenter segmenter(model_, options_);
    std::vector<CroppedPhoto> photos;
    for (const auto& of_photo : crops) photos.push_back({photo_.view(), of_photo});
    return segment_crops(segmenter, photos, most);
  }

  SegmentResult segment_alone(const Crop& crop) {
    Image cut{crop.width, crop.height, {}};
    for (int y = 0; y < crop.height; ++y) {
      const std::uint8_t* row = photo_.view().row(crop.y + y) + 3 * crop.x;
      cut.rgb.insert(cut.rgb.end(), row, row + 3 * crop.width);
    }
    return Segmenter(model_, options_).run(cut.view());
  }

  /// Calls f(index in the photo, index in the crop).
  template <typename F>
  void for_each_pixel(const Crop& crop, const F& f) const {
    for (int y = 0; y < crop.height; ++y)
      for (int x = 0; x < crop.width; ++x)
        f(static_cast<std::size_t>((crop.y + y) * photo_.width + crop.x + x),
          static_cast<std::size_t>(y * crop.width + x));
  }

  static std::vector<float> scores(const SegmentResult& result, std::size_t pixel) {
    if (!GetParam()) return {};
    return {result.probabilities.pixel(pixel), result.probabilities.pixel(pixel) + 4};
  }

  test::TempFolder folder_;
  std::shared_ptr<const Model> model_;
  SegmentOptions options_;
  Image photo_{70, 50, {}};
};

TEST_P(CropsTest, ABoxAroundTheWholePhotoChangesNothing) {
  const Crop all = crop_of({-3, -3, 90, 90}, 1.5, photo_.width, photo_.height);
  const auto results = segment({{all}, {}}, 2);
  EXPECT_EQ(results[0].labels.ids, results[1].labels.ids);
  EXPECT_EQ(results[0].probabilities.values, results[1].probabilities.values);
  EXPECT_EQ(results[0].labels.ids, segment_alone(all).labels.ids);
}

TEST_P(CropsTest, DisjointBoxesAreRunsOfTheirOwn) {
  const std::vector<Crop> crops{{2, 3, 30, 40}, {40, 1, 30, 40}, {33, 44, 7, 6}};
  const SegmentResult whole = std::move(segment({crops}, 1).front());
  std::vector<bool> covered(whole.labels.ids.size(), false);
  bool sees_something = false;
  for (const Crop& crop : crops) {
    const SegmentResult alone = segment_alone(crop);
    for_each_pixel(crop, [&](std::size_t to, std::size_t from) {
      covered[to] = true;
      sees_something = sees_something || alone.labels.ids[from] != 0;
      ASSERT_EQ(whole.labels.ids[to], alone.labels.ids[from]);
      ASSERT_EQ(scores(whole, to), scores(alone, from));
    });
  }
  EXPECT_TRUE(sees_something);
  for (std::size_t i = 0; i < covered.size(); ++i)
    if (!covered[i]) {
      ASSERT_EQ(whole.labels.ids[i], 0);
      if (GetParam()) {
        ASSERT_EQ(scores(whole, i), (std::vector<float>{1, 0, 0, 0}));
      }
    }
}

TEST_P(CropsTest, TheFirstThatSeesSomethingWinsWhereBoxesOverlap) {
  const std::vector<Crop> crops{{0, 0, 40, 40}, {25, 8, 45, 42}};
  const SegmentResult whole = std::move(segment({crops}, 2).front());
  const SegmentResult first = segment_alone(crops[0]), second = segment_alone(crops[1]);
  std::size_t from_first = 0, from_second = 0;
  for_each_pixel({25, 8, 15, 32}, [&](std::size_t to, std::size_t) {
    const std::size_t x = to % 70, y = to / 70, a = y * 40 + x, b = (y - 8) * 45 + x - 25;
    const bool taken = first.labels.ids[a] != 0;
    ++(taken ? from_first : from_second);
    ASSERT_EQ(whole.labels.ids[to], taken ? first.labels.ids[a] : second.labels.ids[b]);
    ASSERT_EQ(scores(whole, to), taken ? scores(first, a) : scores(second, b));
  });
  EXPECT_GT(from_first, 0U);
  EXPECT_GT(from_second, 0U);
}

TEST_P(CropsTest, CompanyChangesNothing) {
  const std::vector<std::vector<Crop>> crops{
      {{0, 0, 30, 40}, {5, 5, 30, 40}, {40, 1, 30, 40}}, {}, {{0, 0, 30, 40}}};
  const auto together = segment(crops, 8);
  for (int most : {1, 2, 3}) {
    const auto other = segment(crops, most);
    for (std::size_t i = 0; i < crops.size(); ++i) {
      EXPECT_EQ(other[i].labels.ids, together[i].labels.ids) << most;
      EXPECT_EQ(other[i].probabilities.values, together[i].probabilities.values) << most;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(LabelsAndScores, CropsTest, testing::Bool(),
                         [](const auto& test) { return test.param ? "probabilities" : "labels"; });

}  // namespace
}  // namespace atrous
