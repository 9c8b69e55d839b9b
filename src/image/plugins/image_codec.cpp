// SPDX-License-Identifier: Apache-2.0
#include "image/plugins/image_codec.h"

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "image/mat.h"

namespace atrous {
namespace {

Image decode(std::span<const std::byte> file) {
  cv::Mat bgr;
  try {
    const cv::Mat bytes(1, static_cast<int>(file.size()), CV_8UC1, const_cast<std::byte*>(file.data()));
    bgr = cv::imdecode(bytes, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
  } catch (const cv::Exception&) {
    return {};
  }
  if (bgr.empty()) return {};
  Image image{bgr.cols, bgr.rows, std::vector<std::uint8_t>(bgr.total() * 3)};
  cv::Mat rgb(bgr.rows, bgr.cols, CV_8UC3, image.rgb.data());
  cv::cvtColor(bgr, rgb, cv::COLOR_BGR2RGB);
  return image;
}

}  // namespace

extern "C" [[gnu::visibility("default")]] const ImageCodec atrous_image_codec{decode};

}  // namespace atrous
