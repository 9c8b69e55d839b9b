// SPDX-License-Identifier: Apache-2.0
#include "image/codec.h"

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "core/buffer.h"
#include "core/error.h"
#include "core/files.h"
#include "image/mat.h"
#include "image/sniff.h"

namespace atrous {
namespace {

std::vector<std::byte> encode(const ImageView& image, const char* extension,
                              const std::vector<int>& options) {
  cv::Mat bgr;
  cv::cvtColor(borrow(image), bgr, cv::COLOR_RGB2BGR);
  std::vector<unsigned char> bytes;
  if (!cv::imencode(extension, bgr, bytes, options))
    fail(ErrorCode::internal, "{} cannot be encoded", extension);
  const auto* begin = reinterpret_cast<const std::byte*>(bytes.data());
  return {begin, begin + bytes.size()};
}

/// Turns an image by one of EXIF's orientations 1 to 8.
void turn(cv::Mat& image, int orientation) {
  if (orientation >= 5 && orientation <= 8) cv::transpose(image, image);
  constexpr int kUpsideDown = 0, kMirrored = 1, kBoth = -1;
  if (orientation == 2 || orientation == 6) cv::flip(image, image, kMirrored);
  if (orientation == 3 || orientation == 7) cv::flip(image, image, kBoth);
  if (orientation == 4 || orientation == 8) cv::flip(image, image, kUpsideDown);
}

}  // namespace

Image decode_image(std::span<const std::byte> file, const std::string& name) {
  const ImageHeader header = sniff(file, name);
  if (header.width < 1 || header.height < 1)
    fail(ErrorCode::bad_file, "{}: has no pixels ({}x{})", name, header.width, header.height);
  if (header.width > kMostImagePixels / header.height)
    fail(ErrorCode::bad_file, "{}: claims {}x{} pixels, more than the limit of {}", name, header.width,
         header.height, kMostImagePixels);
  cv::Mat bgr;
  try {
    const cv::Mat bytes(1, static_cast<int>(file.size()), CV_8UC1, const_cast<std::byte*>(file.data()));
    const bool webp = header.format == "WebP";  // which not all versions of OpenCV turn
    bgr = cv::imdecode(bytes, cv::IMREAD_COLOR | (webp ? cv::IMREAD_IGNORE_ORIENTATION : 0));
    if (webp) turn(bgr, header.orientation);
  } catch (const cv::Exception&) {
    bgr.release();
  }
  if (bgr.empty()) {
    // OpenCV does not tell a lack of memory from a broken file; the former throws here
    const auto pixels = static_cast<std::size_t>(header.width) * static_cast<std::size_t>(header.height);
    const Buffer memory(pixels * 3);
    fail(ErrorCode::bad_file, "{}: is a broken {} file", name, header.format);
  }
  Image image{bgr.cols, bgr.rows, std::vector<std::uint8_t>(bgr.total() * 3)};
  cv::Mat rgb(bgr.rows, bgr.cols, CV_8UC3, image.rgb.data());
  cv::cvtColor(bgr, rgb, cv::COLOR_BGR2RGB);
  return image;
}

Image load_image(const std::filesystem::path& file) { return decode_image(read_file(file), file.string()); }

bool has_image_extension(const std::filesystem::path& file) {
  return has_extension(file, {"jpg", "jpeg", "png", "webp", "tif", "tiff", "bmp"});
}

std::vector<std::byte> encode_png(const ImageView& image) { return encode(image, ".png", {}); }
std::vector<std::byte> encode_jpeg(const ImageView& image, int quality) {
  return encode(image, ".jpg", {cv::IMWRITE_JPEG_QUALITY, quality});
}

}  // namespace atrous
