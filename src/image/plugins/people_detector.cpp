// SPDX-License-Identifier: Apache-2.0
#include "image/plugins/people_detector.h"

#include <opencv2/imgproc.hpp>
#include <opencv2/objdetect.hpp>

#include "image/mat.h"

namespace atrous {
namespace {

std::vector<PeopleDetector::Window> find(const ImageView& image, double scale_step) {
  static const cv::HOGDescriptor kDetector = [] {
    cv::HOGDescriptor detector;
    detector.setSVMDetector(cv::HOGDescriptor::getDefaultPeopleDetector());
    return detector;
  }();
  cv::Mat bgr;
  cv::cvtColor(borrow(image), bgr, cv::COLOR_RGB2BGR);  // the detector's order of channels
  std::vector<cv::Rect> found;
  std::vector<double> weights;
  kDetector.detectMultiScale(bgr, found, weights, 0, {8, 8}, {}, scale_step, 0);
  std::vector<PeopleDetector::Window> windows;
  for (std::size_t i = 0; i < found.size(); ++i)
    windows.push_back({found[i].x, found[i].y, found[i].width, found[i].height, weights[i]});
  return windows;
}

}  // namespace

extern "C" [[gnu::visibility("default")]] const PeopleDetector atrous_people_detector{find};

}  // namespace atrous
