// SPDX-License-Identifier: Apache-2.0
#include "image/template_sheet.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "config/labels.h"
#include "image/mat.h"

namespace atrous {
namespace {

constexpr int kPhotoHeight = 640, kCell = 132, kMask = 96, kColumns = 5, kGap = 12;
constexpr float kVisible = 0.5F;

/// Colours that tell neighbours in the list apart.
cv::Scalar color_of(std::size_t component) {
  const Rgb color = voc_color(static_cast<int>(component) + 1);
  return {color[0] * 0.75 + 40, color[1] * 0.75 + 40, color[2] * 0.75 + 40};
}

void write(cv::Mat& page, const std::string& text, cv::Point at, const cv::Scalar& color) {
  cv::putText(page, text, at, cv::FONT_HERSHEY_SIMPLEX, 0.36, color, 1, cv::LINE_AA);
}

/// A point of the map in the page's photo; what is not finite or far outside stays near it.
cv::Point place(double x, double y, const cv::Size& photo) {
  const auto near = [](double value, int extent) {
    return std::isfinite(value)
               ? static_cast<int>(std::lround(std::clamp<double>(value, -extent, 2 * extent)))
               : 0;
  };
  return {near(x, photo.width), near(y, photo.height)};
}

void draw_boxes(cv::Mat photo, const TemplateMasks& what, double scale) {
  for (std::size_t k = 0; k < what.names.size(); ++k) {
    const float* box = &what.boxes[5 * k];
    if (!(box[4] >= kVisible)) continue;
    const double w = what.map_width * scale, h = what.map_height * scale;
    const cv::Point low = place((box[0] - box[2] / 2) * w, (box[1] - box[3] / 2) * h, photo.size());
    const cv::Point high = place((box[0] + box[2] / 2) * w, (box[1] + box[3] / 2) * h, photo.size());
    cv::rectangle(photo, low, high, color_of(k), 2, cv::LINE_AA);
    write(photo, what.names[k], low + cv::Point(3, 12), color_of(k));
  }
}

void draw_cell(cv::Mat cell, const TemplateMasks& what, std::size_t k) {
  const float* box = &what.boxes[5 * k];
  const auto pixels = static_cast<std::size_t>(what.height) * static_cast<std::size_t>(what.width);
  const std::vector<float> values(what.masks.begin() + static_cast<std::ptrdiff_t>(k * pixels),
                                  what.masks.begin() + static_cast<std::ptrdiff_t>((k + 1) * pixels));
  cv::Mat mask;
  cv::resize(cv::Mat(what.height, what.width, CV_32F, const_cast<float*>(values.data())), mask,
             {kMask, kMask});
  const cv::Scalar color = color_of(k);
  const float strength = box[4] >= kVisible ? 1 : 0.3F;
  cv::Mat target = cell(cv::Rect(0, 0, kMask, kMask));
  for (int y = 0; y < kMask; ++y)
    for (int x = 0; x < kMask; ++x)
      for (int c = 0; c < 3; ++c)
        target.at<cv::Vec3b>(y, x)[c] = cv::saturate_cast<std::uint8_t>(
            245 + (color[c] - 245) * std::clamp(mask.at<float>(y, x), 0.0F, 1.0F) * strength);
  cv::rectangle(target, {0, 0, kMask, kMask}, color, 1);
  const cv::Scalar ink = box[4] >= kVisible ? cv::Scalar(20, 20, 20) : cv::Scalar(150, 150, 150);
  write(cell, fmt::format("{} {:.2f}", what.names[k], box[4]), {0, kMask + 13}, ink);
  write(cell, fmt::format("{:.2f},{:.2f} {:.2f}x{:.2f}", box[0], box[1], box[2], box[3]), {0, kMask + 27},
        ink);
}

}  // namespace

Image template_sheet(const ImageView& photo, const TemplateMasks& what) {
  const double scale = static_cast<double>(kPhotoHeight) / photo.height;
  const int photo_width = std::clamp(static_cast<int>(std::lround(photo.width * scale)), 1, 4 * kPhotoHeight);
  const int rows = (static_cast<int>(what.names.size()) + kColumns - 1) / kColumns;
  Image image{photo_width + 2 * kGap + kColumns * kCell, std::max(kPhotoHeight, rows * kCell) + 2 * kGap, {}};
  image.rgb.assign(static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height) * 3, 255);
  cv::Mat page(image.height, image.width, CV_8UC3, image.rgb.data());
  cv::Mat shown = page(cv::Rect(kGap, kGap, photo_width, kPhotoHeight));
  cv::resize(borrow(photo), shown, shown.size(), 0, 0, cv::INTER_AREA);
  draw_boxes(shown, what, scale);
  for (std::size_t k = 0; k < what.names.size(); ++k) {
    const cv::Point corner(photo_width + 2 * kGap + static_cast<int>(k) % kColumns * kCell,
                           kGap + static_cast<int>(k) / kColumns * kCell);
    draw_cell(page(cv::Rect(corner, cv::Size(kCell, kCell))), what, k);
  }
  return image;
}

}  // namespace atrous
