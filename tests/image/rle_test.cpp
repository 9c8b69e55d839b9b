// SPDX-License-Identifier: Apache-2.0
// Run lengths decoded here, from COCO's description of its text.
#include "image/rle.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "random_labels.h"

namespace atrous {
namespace {

using Json = nlohmann::json;

std::vector<std::int64_t> decode_counts(const std::string& text) {
  std::vector<std::int64_t> counts;
  for (std::size_t i = 0; i < text.size();) {
    std::int64_t value = 0;
    int shift = 0, group = 0;
    do {
      group = text.at(i++) - 48;
      EXPECT_TRUE(group >= 0 && group < 64);
      value |= static_cast<std::int64_t>(group & 31) << shift;
      shift += 5;
    } while ((group & 32) != 0);
    if ((group & 16) != 0) value -= std::int64_t{1} << shift;
    counts.push_back(value + (counts.size() > 2 ? counts[counts.size() - 2] : 0));
  }
  return counts;
}

/// Writes `id` where the mask is set; its pixels have to be free.
void paint(const Json& annotation, LabelMap& map) {
  const Json& mask = annotation.at("segmentation");
  ASSERT_EQ(mask.at("size"), Json({map.height, map.width}));
  std::size_t at = 0;
  std::int64_t area = 0;
  bool inside = false;
  int left = map.width, top = map.height, right = 0, bottom = 0;
  const std::vector<std::int64_t> counts = decode_counts(mask.at("counts"));
  for (std::size_t k = 0; k < counts.size(); ++k, inside = !inside) {
    ASSERT_TRUE(counts[k] > 0 || k == 0);
    for (std::int64_t i = 0; i < counts[k]; ++i, ++at) {
      const int x = static_cast<int>(at) / map.height, y = static_cast<int>(at) % map.height;
      ASSERT_LT(x, map.width);
      if (!inside) continue;
      std::uint8_t& id = map.ids[static_cast<std::size_t>(y * map.width + x)];
      ASSERT_EQ(id, 255);
      id = annotation.at("category_id");
      ++area;
      left = std::min(left, x), top = std::min(top, y), right = std::max(right, x),
      bottom = std::max(bottom, y);
    }
  }
  EXPECT_EQ(at, map.ids.size());
  EXPECT_EQ(annotation.at("area"), area);
  EXPECT_EQ(annotation.at("bbox"), Json({left, top, right - left + 1, bottom - top + 1}));
}

TEST(Rle, DecodesToTheSameLabels) {
  const LabelSet set = numbered_labels(4);
  for (const LabelMap& labels : test::random_labels(1)) {
    const std::string text = encode_rle(labels, set, "a.png");
    ASSERT_EQ(text, encode_rle(labels, set, "a.png"));
    const Json document = Json::parse(text);
    LabelMap back{labels.width, labels.height, std::vector<std::uint8_t>(labels.ids.size(), 255)};
    for (const Json& annotation : document.at("annotations")) paint(annotation, back);
    ASSERT_EQ(back.ids, labels.ids) << labels.width << "x" << labels.height;
  }
}

TEST(Rle, LongRunsTakeSeveralCharacters) {
  LabelMap labels{3, 100'000, std::vector<std::uint8_t>(300'000, 255)};
  labels.ids[2] = 0;  // the first pixel of the last column
  for (std::size_t y = 50'000; y < 100'000; ++y) labels.ids[3 * y + 1] = 0;
  const Json document = Json::parse(encode_rle(labels, numbered_labels(1), "a.png"));
  const Json& annotation = document.at("annotations").at(0);
  EXPECT_EQ(decode_counts(annotation.at("segmentation").at("counts")),
            (std::vector<std::int64_t>{150'000, 50'001, 99'999}));
  EXPECT_EQ(annotation.at("bbox"), Json({1, 0, 2, 100'000}));
}

TEST(Rle, NamesWhatItIsOf) {
  const LabelMap labels{2, 1, {255, 3}};
  const Json document = Json::parse(encode_rle(labels, numbered_labels(4), "deep/\"\xff.png"));
  EXPECT_EQ(document.at("images").at(0).at("file_name"), "deep/\"\xef\xbf\xbd.png");
  EXPECT_EQ(document.at("images").at(0).at("width"), 2);
  EXPECT_EQ(document.at("categories").size(), 4U);
  const Json& annotation = document.at("annotations").at(0);
  EXPECT_EQ(annotation.at("category_id"), 3);
  EXPECT_EQ(annotation.at("category_name"), document.at("categories").at(3).at("name"));
  EXPECT_EQ(annotation.at("id"), 4);
  EXPECT_EQ(annotation.at("image_id"), document.at("images").at(0).at("id"));
  EXPECT_EQ(annotation.at("iscrowd"), 0);
}

}  // namespace
}  // namespace atrous
