// SPDX-License-Identifier: Apache-2.0
#include "image/preprocess.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace atrous {
namespace {

InputSpec spec(SizePolicy policy, int height, int width, int multiple = 1, int offset = 0) {
  InputSpec input;
  input.policy = policy, input.height = height, input.width = width;
  input.multiple = multiple, input.offset = offset;
  return input;
}

TEST(Geometry, FollowsThePolicy) {
  using P = SizePolicy;
  EXPECT_EQ(plan_geometry(spec(P::native, 65, 65), 300, 200), (Geometry{300, 200, 300, 200, 300, 200}));
  EXPECT_EQ(plan_geometry(spec(P::native, 65, 65, 16, 1), 300, 200),
            (Geometry{300, 200, 300, 200, 305, 209}));
  EXPECT_EQ(plan_geometry(spec(P::native, 65, 65, 16, 1), 305, 209),
            (Geometry{305, 209, 305, 209, 305, 209}));
  EXPECT_EQ(plan_geometry(spec(P::stretch, 257, 257), 300, 200), (Geometry{300, 200, 257, 257, 257, 257}));
  EXPECT_EQ(plan_geometry(spec(P::fit, 100, 300), 300, 200), (Geometry{300, 200, 150, 100, 300, 100}));
  EXPECT_EQ(plan_geometry(spec(P::short_side, 100, 100), 300, 200), (Geometry{300, 200, 150, 100, 150, 100}));
  EXPECT_EQ(plan_geometry(spec(P::long_side, 150, 150), 300, 200), (Geometry{300, 200, 150, 100, 150, 100}));
  EXPECT_EQ(plan_geometry(spec(P::long_side, 150, 150), 300, 200, 0.5), (Geometry{300, 200, 75, 50, 75, 50}));
  EXPECT_EQ(plan_geometry(spec(P::long_side, 64, 64), 3000, 1), (Geometry{3000, 1, 64, 1, 64, 1}));
  EXPECT_THROW(plan_geometry(spec(P::short_side, 512, 512), 1000000, 1), Error);
}

TEST(Geometry, PhotoPixelsReadTheRightLogits) {
  // half-pixel: the photo's edges fall on the edges of the part of the logits that shows the photo
  const Geometry g{100, 100, 50, 33, 64, 65};
  const PhotoSampling half = sample_logits(g, 16, 17, false, true);
  EXPECT_TRUE(half.mirrored);
  EXPECT_EQ(half.width, 100);
  EXPECT_EQ(half.height, 100);
  EXPECT_NEAR(half.columns.factor * -0.5 + half.columns.offset, -0.5, 1e-12);
  EXPECT_NEAR(half.columns.factor * 99.5 + half.columns.offset, 16.0 * 50 / 64 - 0.5, 1e-12);
  // align_corners: first on first, last on last
  const AxisMap whole = sample_logits({100, 1, 65, 1, 65, 1}, 17, 1, true, false).columns;
  EXPECT_NEAR(whole.offset, 0, 1e-12);
  EXPECT_NEAR(whole.factor * 99, 16, 1e-12);
  EXPECT_NEAR(sample_logits(g, 16, 17, true, false).rows.factor * 99, 8, 1e-12);
}

TEST(Preprocess, TablesHoldTheNormalisedLevels) {
  InputSpec input;
  input.bgr = true;
  input.scale = 1.0F / 255, input.mean = {0.5F, 0.25F, 0}, input.std = {0.5F, 1, 2};
  const PixelTable table = pixel_table(input);
  EXPECT_TRUE(table.bgr);
  for (std::size_t c = 0; c < 3; ++c)
    for (int level : {0, 1, 128, 255})
      EXPECT_NEAR(table.value[c][static_cast<std::size_t>(level)],
                  (level / 255.0 - input.mean[c]) / input.std[c], 1e-6);
}

TEST(Preprocess, ScalesThePhotoAndKeepsOneOfTheRightSize) {
  std::vector<std::uint8_t> pixels(std::size_t{3} * 40 * 20, 77);
  const ImageView photo{pixels.data(), 40, 20, 120};
  Image memory;
  EXPECT_EQ(scale_photo(photo, {40, 20, 40, 20, 48, 32}, memory).data, pixels.data());
  for (auto [w, h] : {std::pair(60, 33), std::pair(10, 5)}) {
    const ImageView scaled = scale_photo(photo, {40, 20, w, h, w, h}, memory);
    EXPECT_EQ(scaled.width, w);
    EXPECT_EQ(scaled.height, h);
    for (int y = 0; y < h; ++y)
      for (int i = 0; i < 3 * w; ++i) ASSERT_EQ(scaled.row(y)[i], 77);
  }
}

}  // namespace
}  // namespace atrous
