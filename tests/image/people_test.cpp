// SPDX-License-Identifier: Apache-2.0
#include "image/people.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "image/codec.h"

namespace atrous {
namespace {

TEST(People, SeesNobodyWhereThereIsNobody) {
  for (auto [width, height] : {std::pair(1, 1), std::pair(1, 900), std::pair(2000, 3), std::pair(320, 240)}) {
    const Image grey{width, height,
                     std::vector<std::uint8_t>(static_cast<std::size_t>(3 * width * height), 90)};
    EXPECT_TRUE(detect_people(grey.view()).empty()) << width << "x" << height;
  }
}

TEST(People, FindsAPersonBesideAnother) {
  const char* shared = std::getenv("ATROUS_SHARED_DIR");
  const std::filesystem::path file =
      std::filesystem::path(shared != nullptr ? shared : "") / "data/ccp/photos/0005.jpg";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << file << " is missing";
  const Image one = load_image(file);
  const std::vector<PhotoBox> alone = detect_people(one.view());
  ASSERT_EQ(alone.size(), 1U);
  EXPECT_GT(alone[0].height, 0.6 * one.height);
  EXPECT_NEAR(alone[0].x + alone[0].width / 2, 0.47 * one.width, 0.1 * one.width);
  Image two{2 * one.width, one.height, {}};
  for (int y = 0; y < one.height; ++y)
    for (int copy = 0; copy < 2; ++copy)
      two.rgb.insert(two.rgb.end(), one.view().row(y), one.view().row(y) + 3 * one.width);
  const std::vector<PhotoBox> both = detect_people(two.view());
  ASSERT_EQ(both.size(), 2U);
  EXPECT_NEAR(std::abs(both[0].x - both[1].x), one.width, 0.1 * one.width);
  const std::vector<PhotoBox> again = detect_people(two.view());
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(both[i].x, again[i].x);
    EXPECT_EQ(both[i].height, again[i].height);
  }
}

}  // namespace
}  // namespace atrous
