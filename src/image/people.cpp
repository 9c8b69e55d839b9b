// SPDX-License-Identifier: Apache-2.0
#include "image/people.h"

#include <algorithm>
#include <opencv2/imgproc.hpp>
#include <tuple>

#include "image/mat.h"
#include "image/plugin.h"
#include "image/plugins/people_detector.h"

namespace atrous {
namespace {

// Chosen on 100 street-fashion photos, where the person often touches the photo's borders.
constexpr double kLongSide = 384;       ///< of the photo when it is looked at
constexpr double kBorder = 0.25;        ///< of the long side, around it, so that a window fits about anybody
constexpr double kScaleStep = 1.05;     ///< from one size of window to the next
constexpr double kSameOverlap = 0.5;    ///< intersection over union of windows on one person
constexpr double kInsideOverlap = 0.5;  ///< of the smaller box: what lies in a surer one is no person
constexpr double kSurest = 0.4;         ///< of the surest person's weight that others need
constexpr double kLeastWeight = 2;      ///< of all windows on a person
constexpr double kPersonWidth = 0.6,
                 kPersonHeight = 0.8;  ///< of the window: the detector learnt with margins

struct Window {
  cv::Rect2d box;
  double weight;
};

/// Windows on one person: their mean by weight.
struct Cluster {
  cv::Rect2d first, sum;
  double weight = 0;

  void add(const Window& window) {
    sum.x += window.weight * window.box.x, sum.y += window.weight * window.box.y;
    sum.width += window.weight * window.box.width, sum.height += window.weight * window.box.height;
    weight += window.weight;
  }
  cv::Rect2d mean() const {
    return {sum.x / weight, sum.y / weight, sum.width / weight, sum.height / weight};
  }
};

/// Every window the detector accepts, in pixels of the photo, by falling weight.
std::vector<Window> find_windows(const ImageView& photo) {
  static const auto& kDetector = plugin<PeopleDetector>("people_detector");
  const double factor = kLongSide / std::max(photo.width, photo.height);
  const cv::Size size(std::max(1, cvRound(photo.width * factor)),
                      std::max(1, cvRound(photo.height * factor)));
  const int border = cvRound(kLongSide * kBorder);
  cv::Mat scaled, framed;
  cv::resize(borrow(photo), scaled, size, 0, 0, factor < 1 ? cv::INTER_AREA : cv::INTER_LINEAR);
  cv::copyMakeBorder(scaled, framed, border, border, border, border, cv::BORDER_REPLICATE);
  const ImageView view{framed.data, framed.cols, framed.rows, static_cast<std::ptrdiff_t>(framed.step)};
  std::vector<Window> windows;
  for (const PeopleDetector::Window& found : kDetector.find(view, kScaleStep)) {
    const double width = found.width * kPersonWidth, height = found.height * kPersonHeight;
    const double x = found.x - border + (found.width - width) / 2,
                 y = found.y - border + (found.height - height) / 2;
    if (found.weight > 0)
      windows.push_back({{x / factor, y / factor, width / factor, height / factor}, found.weight});
  }
  auto rank = [](const Window& w) { return std::tuple(-w.weight, w.box.x, w.box.y, w.box.height); };
  std::sort(windows.begin(), windows.end(),  // its threads return them in any order
            [&](const Window& a, const Window& b) { return rank(a) < rank(b); });
  return windows;
}

double overlap_of_union(const cv::Rect2d& a, const cv::Rect2d& b) {
  const double both = (a & b).area();
  return both / (a.area() + b.area() - both);
}

}  // namespace

std::vector<PhotoBox> detect_people(const ImageView& photo) {
  std::vector<Cluster> clusters;
  for (const Window& window : find_windows(photo)) {
    auto same = std::find_if(clusters.begin(), clusters.end(), [&](const Cluster& cluster) {
      return overlap_of_union(cluster.first, window.box) > kSameOverlap;
    });
    if (same == clusters.end()) same = clusters.insert(clusters.end(), {window.box, {}, 0});
    same->add(window);
  }
  std::stable_sort(clusters.begin(), clusters.end(),
                   [](const Cluster& a, const Cluster& b) { return a.weight > b.weight; });
  std::vector<cv::Rect2d> people;
  for (const Cluster& cluster : clusters) {
    const cv::Rect2d box = cluster.mean();
    const bool hidden = std::any_of(people.begin(), people.end(), [&](const cv::Rect2d& surer) {
      return (box & surer).area() > kInsideOverlap * std::min(box.area(), surer.area());
    });
    if (!hidden && cluster.weight >= std::max(kLeastWeight, kSurest * clusters.front().weight))
      people.push_back(box);
  }
  std::vector<PhotoBox> boxes;
  for (const cv::Rect2d& box : people) boxes.push_back({box.x, box.y, box.width, box.height});
  return boxes;
}

}  // namespace atrous
