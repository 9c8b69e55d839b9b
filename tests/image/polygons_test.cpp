// SPDX-License-Identifier: Apache-2.0
// Polygons filled again by counting crossings, and what makes them valid checked from their corners alone.
#include "image/polygons.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "random_labels.h"

namespace atrous {
namespace {

using Json = nlohmann::json;

/// Twice the area by the shoelace formula.
std::int64_t area_of(const Json& ring) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i + 1 < ring.size(); ++i)
    sum += ring[i][0].get<std::int64_t>() * ring[i + 1][1].get<std::int64_t>() -
           ring[i + 1][0].get<std::int64_t>() * ring[i][1].get<std::int64_t>();
  return sum;
}

/// Closed, along pixel edges, turning at every corner and never twice at one point.
void expect_simple(const Json& ring) {
  ASSERT_GE(ring.size(), 5U);
  ASSERT_EQ(ring.front(), ring.back());
  std::set<std::pair<int, int>> visited;
  for (std::size_t i = 0; i + 1 < ring.size(); ++i) {
    int x = ring[i][0], y = ring[i][1];
    const int to_x = ring[i + 1][0], to_y = ring[i + 1][1],
              after_x = ring[i + 2 < ring.size() ? i + 2 : 1][0];
    ASSERT_TRUE((x == to_x) != (y == to_y));
    ASSERT_NE(x == to_x, after_x == to_x) << "no turn";
    for (; x != to_x || y != to_y; x += (to_x > x) - (to_x < x), y += (to_y > y) - (to_y < y))
      ASSERT_TRUE(visited.insert({x, y}).second) << "twice at " << x << "," << y;
  }
}

/// Flips `filled` right of every edge that goes down or up: even-odd filling.
void fill(const Json& ring, int width, std::vector<int>& filled) {
  for (std::size_t i = 0; i + 1 < ring.size(); ++i) {
    const int x = ring[i][0];
    const auto [from, to] = std::minmax({ring[i][1].get<int>(), ring[i + 1][1].get<int>()});
    for (int y = from; y < to; ++y)
      for (int right = x; right < width; ++right) filled[static_cast<std::size_t>(y * width + right)] ^= 1;
  }
}

/// Pixels that can be reached from the first filled one through edges.
std::size_t reachable(const std::vector<int>& filled, int width, int height) {
  std::vector<int> left = filled;
  std::vector<int> todo{static_cast<int>(std::find(left.begin(), left.end(), 1) - left.begin())};
  std::size_t count = 0;
  left[static_cast<std::size_t>(todo[0])] = 0;
  while (!todo.empty()) {
    const int at = todo.back(), x = at % width, y = at / width;
    todo.pop_back();
    ++count;
    for (const auto& [dx, dy] : {std::pair{1, 0}, {-1, 0}, {0, 1}, {0, -1}})
      if (x + dx >= 0 && x + dx < width && y + dy >= 0 && y + dy < height) {
        int& next = left[static_cast<std::size_t>((y + dy) * width + x + dx)];
        if (next == 1) todo.push_back((y + dy) * width + x + dx);
        next = 0;
      }
  }
  return count;
}

void check(const LabelMap& labels) {
  const std::string text = encode_polygons(labels, numbered_labels(4), "a.png");
  ASSERT_EQ(text, encode_polygons(labels, numbered_labels(4), "a.png"));
  std::vector<std::uint8_t> back(labels.ids.size(), 255);
  const Json document = Json::parse(text);
  for (const Json& feature : document.at("features")) {
    std::int64_t area = 0;
    ASSERT_EQ(feature.at("geometry").at("type"), "MultiPolygon");
    for (const Json& polygon : feature.at("geometry").at("coordinates")) {
      std::vector<int> filled(labels.ids.size());
      for (std::size_t i = 0; i < polygon.size(); ++i) {
        ASSERT_NO_FATAL_FAILURE(expect_simple(polygon[i]));
        ASSERT_EQ(area_of(polygon[i]) > 0, i == 0) << "an exterior is counterclockwise, a hole is not";
        area += area_of(polygon[i]);
        fill(polygon[i], labels.width, filled);
      }
      std::size_t pixels = 0;
      for (std::size_t i = 0; i < filled.size(); ++i)
        if (filled[i] == 1) {
          ++pixels;
          ASSERT_EQ(back[i], 255) << "two parts overlap";
          back[i] = feature.at("properties").at("category_id");
        }
      ASSERT_EQ(reachable(filled, labels.width, labels.height), pixels) << "one part is two";
    }
    ASSERT_EQ(feature.at("properties").at("area"), area / 2);
  }
  ASSERT_EQ(back, labels.ids);
}

TEST(Polygons, FillToTheSameLabels) {
  for (const LabelMap& labels : test::random_labels(2)) {
    ASSERT_NO_FATAL_FAILURE(check(labels)) << labels.width << "x" << labels.height;
  }
}

TEST(Polygons, EveryMaskOfThreeByFour) {
  for (unsigned bits = 0; bits < 1U << 12U; ++bits) {
    LabelMap labels{3, 4, std::vector<std::uint8_t>(12)};
    for (unsigned i = 0; i < 12; ++i) labels.ids[i] = (bits >> i) & 1U;
    ASSERT_NO_FATAL_FAILURE(check(labels)) << bits;
  }
}

TEST(Polygons, ACornerThatTouchesItselfIsAHole) {
  const LabelMap labels{3, 3, {1, 1, 1, 1, 0, 1, 1, 1, 0}};
  const std::vector<PixelPolygon> parts = trace_polygons(labels)[1];
  ASSERT_EQ(parts.size(), 1U);
  EXPECT_EQ(parts[0].exterior, (Ring{{0, 0}, {3, 0}, {3, 2}, {2, 2}, {2, 3}, {0, 3}}));
  ASSERT_EQ(parts[0].holes.size(), 1U);
  EXPECT_EQ(parts[0].holes[0], (Ring{{1, 2}, {2, 2}, {2, 1}, {1, 1}}));
  EXPECT_EQ(trace_polygons(labels)[0].size(), 2U) << "pixels that share a corner are two parts";
}

TEST(Polygons, NothingButIgnored) {
  const Json document = Json::parse(encode_polygons({2, 1, {255, 7}}, numbered_labels(4), "\"\n.png"));
  EXPECT_EQ(document.at("features"), Json::array());
  EXPECT_EQ(document.at("image").at("file_name"), "\"\n.png");
}

}  // namespace
}  // namespace atrous
