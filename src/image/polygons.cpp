// SPDX-License-Identifier: Apache-2.0
// Outlines are followed edge by edge with the part on the right as the image is seen. Where two pixels of the
// part meet at a corner only, the path turns left, around the pixel outside: a part is connected through
// edges, so the two pixels outside lie in different holes (or one in none), and every ring stays simple.
#include "image/polygons.h"

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <utility>

#include "image/connected_parts.h"

namespace atrous {
namespace {

/// Steps along edges by direction: right, down, left, up.
constexpr std::array<PixelCorner, 4> kStep{{{1, 0}, {0, 1}, {-1, 0}, {0, -1}}};
/// The pixel ahead on the right of a corner, by direction, from the corner; the one on the left is that of
/// the direction before.
constexpr std::array<PixelCorner, 4> kAheadRight{{{0, 0}, {-1, 0}, {-1, -1}, {0, -1}}};

class Tracer {
 public:
  explicit Tracer(const LabelMap& labels)
      : labels_(labels), parts_(labels), followed_(labels.ids.size()), polygons_(256) {}

  std::vector<std::vector<PixelPolygon>> trace() {
    std::unordered_map<std::int64_t, std::size_t> known;  // a part's place in the list of its id
    for (int y = 0; y < labels_.height; ++y)
      for (int x = 0; x < labels_.width; ++x) {
        const std::uint8_t id = labels_.ids[index(x, y)];
        if (followed_[index(x, y)] || id_at({x, y - 1}) == id) continue;
        std::vector<PixelPolygon>& list = polygons_[id];
        const auto [place, is_new] = known.emplace(parts_.part_of(x, y), list.size());
        Ring ring = follow(x, y);
        if (is_new)  // the first pixel of a part has its top edge on the outside
          list.push_back({std::move(ring), {}});
        else
          list[place->second].holes.push_back(std::move(ring));
      }
    return std::move(polygons_);
  }

 private:
  std::size_t index(int x, int y) const {
    return static_cast<std::size_t>(y) * static_cast<std::size_t>(labels_.width) +
           static_cast<std::size_t>(x);
  }
  /// -1 outside the image.
  int id_at(PixelCorner pixel) const {
    const bool inside = pixel.x >= 0 && pixel.y >= 0 && pixel.x < labels_.width && pixel.y < labels_.height;
    return inside ? labels_.ids[index(pixel.x, pixel.y)] : -1;
  }

  /// The ring that begins along the top edge of pixel (x, y).
  Ring follow(int x, int y) {
    const int id = labels_.ids[index(x, y)];
    const std::int64_t part = parts_.part_of(x, y);
    Ring ring;
    PixelCorner at{x, y};
    std::size_t direction = 0;
    do {
      ring.push_back(at);
      bool straight = true;
      while (straight) {
        if (direction == 0) followed_[index(at.x, at.y)] = true;
        at = {at.x + kStep[direction].x, at.y + kStep[direction].y};
        const PixelCorner right = ahead(at, direction), left = ahead(at, (direction + 3) % 4);
        const bool right_inside = id_at(right) == id;
        const bool left_inside =
            id_at(left) == id && (right_inside || parts_.part_of(left.x, left.y) == part);
        straight = right_inside && !left_inside;
        if (left_inside)
          direction = (direction + 3) % 4;
        else if (!right_inside)
          direction = (direction + 1) % 4;
      }
    } while (at != ring.front() || direction != 0);
    return ring;
  }

  static PixelCorner ahead(PixelCorner at, std::size_t direction) {
    return {at.x + kAheadRight[direction].x, at.y + kAheadRight[direction].y};
  }

  const LabelMap& labels_;
  ConnectedParts parts_;
  std::vector<bool> followed_;  ///< top edges of pixels that are on a ring already
  std::vector<std::vector<PixelPolygon>> polygons_;
};

void write(const Ring& ring, std::string& text) {
  text += '[';
  for (const PixelCorner& corner : ring)
    fmt::format_to(std::back_inserter(text), "[{},{}],", corner.x, corner.y);
  fmt::format_to(std::back_inserter(text), "[{},{}]]", ring.front().x, ring.front().y);
}

}  // namespace

std::vector<std::vector<PixelPolygon>> trace_polygons(const LabelMap& labels) {
  return Tracer(labels).trace();
}

std::string encode_polygons(const LabelMap& labels, const LabelSet& set, const std::string& file_name) {
  using Json = nlohmann::ordered_json;
  auto dump = [](const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); };
  const std::vector<std::int64_t> areas = count_pixels(labels);
  const Json image{{"file_name", file_name}, {"width", labels.width}, {"height", labels.height}};
  std::string text = R"({"type":"FeatureCollection","image":)" + dump(image) + R"(,"features":[)";
  const std::vector<std::vector<PixelPolygon>> polygons = trace_polygons(labels);
  const char* between = "";
  for (std::size_t id = 0; id < set.classes.size(); ++id) {
    if (polygons[id].empty()) continue;
    const Json properties{{"category_id", id}, {"category_name", set.classes[id].name}, {"area", areas[id]}};
    text += std::exchange(between, ",");
    text +=
        "\n"
        R"({"type":"Feature","properties":)" +
        dump(properties) + R"(,"geometry":{"type":"MultiPolygon","coordinates":)";
    char before = '[';  // coordinates may be many: straight to text, no tree of them
    for (const PixelPolygon& polygon : polygons[id]) {
      text += std::exchange(before, ',');
      text += '[';
      write(polygon.exterior, text);
      for (const Ring& hole : polygon.holes) text += ',', write(hole, text);
      text += ']';
    }
    text += "]}}";
  }
  return text + "\n]}\n";
}

}  // namespace atrous
