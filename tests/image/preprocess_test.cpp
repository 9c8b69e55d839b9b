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
  const AxisMap half = photo_to_logits(100, 50, 64, 16, false);
  EXPECT_NEAR(half.factor * -0.5 + half.offset, -0.5, 1e-12);
  EXPECT_NEAR(half.factor * 99.5 + half.offset, 16.0 * 50 / 64 - 0.5, 1e-12);
  // align_corners: first on first, last on last
  const AxisMap corners = photo_to_logits(100, 65, 65, 17, true);
  EXPECT_NEAR(corners.offset, 0, 1e-12);
  EXPECT_NEAR(corners.factor * 99, 16, 1e-12);
  EXPECT_NEAR(photo_to_logits(100, 33, 65, 17, true).factor * 99, 8, 1e-12);
}

TEST(Preprocess, NormalisesPadsAndMirrors) {
  InputSpec input = spec(SizePolicy::native, 8, 8, 4);
  input.scale = 1.0F / 255, input.mean = {0.5F, 0.25F, 0}, input.std = {0.5F, 1, 2};
  Image photo{3, 2, {}};
  for (int i = 0; i < 18; ++i) photo.rgb.push_back(static_cast<std::uint8_t>(10 * i));
  for (const bool bgr : {false, true})
    for (const bool flip : {false, true}) {
      input.bgr = bgr;
      const Geometry g = plan_geometry(input, 3, 2);
      ASSERT_EQ(g.width, 4);
      ASSERT_EQ(g.height, 4);
      std::vector<float> out(48, -9);
      preprocess(photo.view(), input, g, flip, out.data());
      for (int y = 0; y < 4; ++y)
        for (int x = 0; x < 4; ++x)
          for (int c = 0; c < 3; ++c) {
            double want = 0;  // the mean
            if (x < 3 && y < 2) {
              const int from = 9 * y + 3 * (flip ? 2 - x : x) + (bgr ? 2 - c : c);
              const auto k = static_cast<std::size_t>(c);
              want = (10.0 * from / 255 - input.mean[k]) / input.std[k];
            }
            EXPECT_NEAR(out[static_cast<std::size_t>((y * 4 + x) * 3 + c)], want, 1e-6);
          }
    }
}

TEST(Preprocess, ReadsRowsByStride) {
  std::vector<std::uint8_t> memory(2 * 16, 200);
  for (int y = 0; y < 2; ++y)
    for (int i = 0; i < 9; ++i)
      memory[static_cast<std::size_t>(16 * y + i)] = static_cast<std::uint8_t>(9 * y + i);
  const InputSpec input = spec(SizePolicy::native, 2, 3);
  std::vector<float> out(18);
  preprocess({memory.data(), 3, 2, 16}, input, plan_geometry(input, 3, 2), false, out.data());
  for (int i = 0; i < 18; ++i) EXPECT_NEAR(out[static_cast<std::size_t>(i)] * 255, i, 1e-4);
}

}  // namespace
}  // namespace atrous
