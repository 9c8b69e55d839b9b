// SPDX-License-Identifier: Apache-2.0
#include "image/overlay.h"

#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "core/error.h"
#include "image/mat.h"

namespace atrous {
namespace {

constexpr double kOpacity = 0.55;

const Rgb& color_of(std::uint8_t id, const LabelSet& set) {
  return id < set.classes.size() ? set.classes[id].color : kIgnoreColor;
}

bool is_edge(const LabelMap& labels, int x, int y) {
  const std::uint8_t* id =
      labels.ids.data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(labels.width) + x;
  return (x + 1 < labels.width && id[1] != id[0]) || (y + 1 < labels.height && id[labels.width] != id[0]);
}

/// Ids present, the largest area first, the background last.
std::vector<std::size_t> classes_present(const std::vector<std::int64_t>& counts, const LabelSet& set) {
  std::vector<std::size_t> ids;
  for (std::size_t id = 0; id < set.classes.size(); ++id)
    if (counts[id] > 0) ids.push_back(id);
  std::stable_sort(ids.begin(), ids.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(a == 0, -counts[a]) < std::pair(b == 0, -counts[b]);
  });
  return ids;
}

cv::Mat draw_legend(const LabelMap& labels, const LabelSet& set, int height) {
  const std::vector<std::int64_t> counts = count_pixels(labels);
  const std::vector<std::size_t> ids = classes_present(counts, set);
  const int line = std::clamp(height / 24, 14, 48);
  const double font = line / 32.0;
  const int thickness = std::max(1, line / 20), swatch = line * 2 / 3;
  std::vector<std::string> texts;
  int text_width = 0;
  for (std::size_t id : ids) {
    texts.push_back(
        fmt::format("{} {:.1f}%", set.classes[id].name,
                    100.0 * static_cast<double>(counts[id]) / static_cast<double>(labels.ids.size())));
    text_width = std::max(
        text_width, cv::getTextSize(texts.back(), cv::FONT_HERSHEY_SIMPLEX, font, thickness, nullptr).width);
  }
  cv::Mat legend(std::max(height, line * (static_cast<int>(ids.size()) + 1)),
                 text_width + swatch + line * 3 / 2, CV_8UC3, cv::Scalar(255, 255, 255));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const Rgb& c = set.classes[ids[i]].color;
    const cv::Point corner(line / 2, line / 2 + static_cast<int>(i) * line);
    cv::rectangle(legend, {corner, cv::Size(swatch, swatch)}, cv::Scalar(c[0], c[1], c[2]), cv::FILLED);
    cv::rectangle(legend, {corner, cv::Size(swatch, swatch)}, cv::Scalar(90, 90, 90), 1);
    cv::putText(legend, texts[i], {corner.x + swatch + line / 3, corner.y + swatch - line / 10},
                cv::FONT_HERSHEY_SIMPLEX, font, cv::Scalar(20, 20, 20), thickness, cv::LINE_AA);
  }
  return legend;
}

void check_extents(const ImageView& photo, const LabelMap& labels) {
  if (photo.width != labels.width || photo.height != labels.height)
    fail(ErrorCode::invalid_argument, "overlay: a photo of {}x{} and labels of {}x{}", photo.width,
         photo.height, labels.width, labels.height);
}

/// The photo with its classes over it, at the top left of `image`.
void draw_classes(const ImageView& photo, const LabelMap& labels, const LabelSet& set, Image& image) {
  for (int y = 0; y < photo.height; ++y)
    for (int x = 0; x < photo.width; ++x) {
      const std::uint8_t id =
          labels.ids[static_cast<std::size_t>(y) * static_cast<std::size_t>(labels.width) +
                     static_cast<std::size_t>(x)];
      const std::uint8_t* from = photo.row(y) + std::ptrdiff_t{3} * x;
      std::uint8_t* to =
          image.rgb.data() + (static_cast<std::size_t>(y) * static_cast<std::size_t>(image.width) +
                              static_cast<std::size_t>(x)) *
                                 3;
      const double share = is_edge(labels, x, y) ? 1 : id == 0 ? 0 : kOpacity;
      const Rgb edge{255, 255, 255};
      const Rgb& color = share == 1 ? edge : color_of(id, set);
      for (std::size_t c = 0; c < 3; ++c)
        to[c] = static_cast<std::uint8_t>(from[c] + (color[c] - from[c]) * share);
    }
}

}  // namespace

Image color_map(const LabelMap& labels, const LabelSet& set) {
  Image image{labels.width, labels.height, {}};
  image.rgb.reserve(labels.ids.size() * 3);
  for (std::uint8_t id : labels.ids)
    image.rgb.insert(image.rgb.end(), color_of(id, set).begin(), color_of(id, set).end());
  return image;
}

Image overlay(const ImageView& photo, const LabelMap& labels, const LabelSet& set) {
  check_extents(photo, labels);
  const cv::Mat legend = draw_legend(labels, set, photo.height);
  Image image{photo.width + legend.cols, std::max(photo.height, legend.rows), {}};
  image.rgb.assign(static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height) * 3, 255);
  draw_classes(photo, labels, set, image);
  cv::Mat target(image.height, image.width, CV_8UC3, image.rgb.data());
  legend.copyTo(target(cv::Rect(photo.width, 0, legend.cols, legend.rows)));
  return image;
}

Image thumbnail(const ImageView& photo, const LabelMap& labels, const LabelSet& set, int longest) {
  check_extents(photo, labels);
  const double scale = std::min(1.0, longest / static_cast<double>(std::max(photo.width, photo.height)));
  const cv::Size size(std::max(1, static_cast<int>(photo.width * scale)),
                      std::max(1, static_cast<int>(photo.height * scale)));
  Image small{size.width, size.height, {}};
  small.rgb.resize(static_cast<std::size_t>(size.area()) * 3);
  LabelMap ids{size.width, size.height, std::vector<std::uint8_t>(static_cast<std::size_t>(size.area()))};
  cv::Mat pixels(size, CV_8UC3, small.rgb.data()), classes(size, CV_8UC1, ids.ids.data());
  cv::resize(borrow(photo), pixels, size, 0, 0, cv::INTER_AREA);
  cv::resize(cv::Mat(labels.height, labels.width, CV_8UC1, const_cast<std::uint8_t*>(labels.ids.data())),
             classes, size, 0, 0, cv::INTER_NEAREST);
  Image drawn = small;
  draw_classes(small.view(), ids, set, drawn);
  return drawn;
}

}  // namespace atrous
