// SPDX-License-Identifier: Apache-2.0
#include "image/codec.h"

#include <opencv2/core.hpp>

#include "core/buffer.h"
#include "core/error.h"
#include "core/files.h"
#include "image/coding.h"
#include "image/plugin.h"
#include "image/plugins/image_codec.h"
#include "image/sniff.h"

namespace atrous {
namespace {

const ImageCodec& image_codec() {
  static const auto& kCodec = plugin<ImageCodec>("image_codec");
  return kCodec;
}

/// As it is stored.
Image decode(const ImageHeader& header, std::span<const std::byte> file) {
  if (header.format == "JPEG") return decode_jpeg(file, header);
  return header.format == "PNG" ? decode_png(file, header) : image_codec().decode(file);
}

/// The image turned by one of EXIF's orientations, 1 to 8.
Image turned(Image image, int orientation) {
  if (orientation == 1) return image;
  const cv::Mat stored(image.height, image.width, CV_8UC3, image.rgb.data());
  const bool sideways = orientation >= 5;
  Image shown{sideways ? image.height : image.width, sideways ? image.width : image.height,
              std::vector<std::uint8_t>(image.rgb.size())};
  cv::Mat pixels(shown.height, shown.width, CV_8UC3, shown.rgb.data());
  sideways ? cv::transpose(stored, pixels) : stored.copyTo(pixels);
  constexpr int kUpsideDown = 0, kMirrored = 1, kBoth = -1;
  if (orientation == 2 || orientation == 6) cv::flip(pixels, pixels, kMirrored);
  if (orientation == 3 || orientation == 7) cv::flip(pixels, pixels, kBoth);
  if (orientation == 4 || orientation == 8) cv::flip(pixels, pixels, kUpsideDown);
  return shown;
}

}  // namespace

Image decode_image(std::span<const std::byte> file, const std::string& name) {
  const ImageHeader header = sniff(file, name);
  if (header.width < 1 || header.height < 1)
    fail(ErrorCode::bad_file, "{}: has no pixels ({}x{})", name, header.width, header.height);
  if (header.width > kMostImagePixels / header.height)
    fail(ErrorCode::bad_file, "{}: claims {}x{} pixels, more than the limit of {}", name, header.width,
         header.height, kMostImagePixels);
  Image image = decode(header, file);
  if (image.rgb.empty()) {
    // decoders do not all tell a lack of memory from a broken file; the former throws here
    const auto pixels = static_cast<std::size_t>(header.width) * static_cast<std::size_t>(header.height);
    const Buffer memory(pixels * 3);
    fail(ErrorCode::bad_file, "{}: is a broken {} file", name, header.format);
  }
  return turned(std::move(image), header.orientation);
}

Image load_image(const std::filesystem::path& file) { return decode_image(read_file(file), file.string()); }

bool has_image_extension(const std::filesystem::path& file) {
  return has_extension(file, {"jpg", "jpeg", "png", "webp", "tif", "tiff", "bmp"});
}

}  // namespace atrous
