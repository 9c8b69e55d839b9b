// SPDX-License-Identifier: Apache-2.0
#include "image/rle.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace atrous {
namespace {

using Json = nlohmann::ordered_json;

/// What is known of a class while the columns go by.
struct ClassRuns {
  std::vector<std::int64_t> counts;  ///< pixels outside, inside, outside, ...; begins outside
  std::int64_t end = 0;              ///< of the last run inside, in pixels from the top left, down columns
  std::int64_t area = 0;
  int left = 0, top = 0, right = 0, bottom = 0;  ///< right and bottom: one past the last

  void add(std::int64_t begin, std::int64_t length, int x, int y) {
    if (area == 0) left = x, top = y;
    if (begin == end && area > 0)  // goes on from the column before
      counts.back() += length;
    else
      counts.insert(counts.end(), {begin - end, length});
    end = begin + length;
    area += length;
    top = std::min(top, y), bottom = std::max(bottom, y + static_cast<int>(length));
    right = x + 1;
  }
};

/// COCO's text of run lengths: from the fourth on the difference to the one two before, in groups of five
/// bits from the low end, a sixth bit says that more follow; each group plus 48 is a character.
std::string compress(const std::vector<std::int64_t>& counts) {
  std::string text;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    std::int64_t rest = counts[i] - (i > 2 ? counts[i - 2] : 0);
    for (bool more = true; more;) {
      auto group = static_cast<int>(rest & 31);
      rest >>= 5;
      more = (group & 16) != 0 ? rest != -1 : rest != 0;
      text += static_cast<char>(48 + group + (more ? 32 : 0));
    }
  }
  return text;
}

std::vector<ClassRuns> find_runs(const LabelMap& labels, std::size_t classes) {
  std::vector<ClassRuns> found(classes);
  const auto width = static_cast<std::size_t>(labels.width);
  for (int x = 0; x < labels.width; ++x) {
    const std::uint8_t* column = labels.ids.data() + x;
    for (int y = 0; y < labels.height;) {
      const std::uint8_t id = column[static_cast<std::size_t>(y) * width];
      int end = y + 1;
      while (end < labels.height && column[static_cast<std::size_t>(end) * width] == id) ++end;
      if (id < classes) found[id].add(std::int64_t{x} * labels.height + y, end - y, x, y);
      y = end;
    }
  }
  return found;
}

}  // namespace

std::string encode_rle(const LabelMap& labels, const LabelSet& set, const std::string& file_name) {
  Json categories = Json::array(), annotations = Json::array();
  const std::int64_t pixels = std::int64_t{labels.width} * labels.height;
  std::vector<ClassRuns> found = find_runs(labels, set.classes.size());
  for (std::size_t id = 0; id < found.size(); ++id) {
    categories.push_back({{"id", id}, {"name", set.classes[id].name}, {"color", set.classes[id].color}});
    ClassRuns& runs = found[id];
    if (runs.area == 0) continue;
    if (runs.end < pixels) runs.counts.push_back(pixels - runs.end);
    annotations.push_back(
        {{"id", id + 1},
         {"image_id", 1},
         {"category_id", id},
         {"category_name", set.classes[id].name},
         {"segmentation", {{"size", {labels.height, labels.width}}, {"counts", compress(runs.counts)}}},
         {"area", runs.area},
         {"bbox", {runs.left, runs.top, runs.right - runs.left, runs.bottom - runs.top}},
         {"iscrowd", 0}});
  }
  Json image{{"id", 1}, {"file_name", file_name}, {"width", labels.width}, {"height", labels.height}};
  const Json document{
      {"images", Json::array({image})}, {"categories", categories}, {"annotations", annotations}};
  return document.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace atrous
