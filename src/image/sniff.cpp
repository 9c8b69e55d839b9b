// SPDX-License-Identifier: Apache-2.0
#include "image/sniff.h"

#include <cstring>

#include "core/error.h"
#include "core/files.h"

namespace atrous {
namespace {

/// The bytes of a file with reads that fail clearly past its end.
class Bytes {
 public:
  Bytes(std::span<const std::byte> data, const std::string& name) : data_(data), name_(name) {}

  std::size_t size() const { return data_.size(); }
  bool starts_with(std::string_view text, std::size_t at = 0) const {
    return data_.size() >= at + text.size() && std::memcmp(data_.data() + at, text.data(), text.size()) == 0;
  }
  std::uint32_t byte(std::size_t at) const {
    if (at >= data_.size()) fail(ErrorCode::bad_file, "{}: is cut short", name_);
    return static_cast<std::uint32_t>(data_[at]);
  }
  std::uint32_t big(std::size_t at, std::size_t count) const {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < count; ++i) value = value << 8U | byte(at + i);
    return value;
  }
  std::uint32_t little(std::size_t at, std::size_t count) const {
    std::uint32_t value = 0;
    for (std::size_t i = count; i-- > 0;) value = value << 8U | byte(at + i);
    return value;
  }
  Bytes from(std::size_t start) const {
    if (start > data_.size()) complain("is cut short");
    return {data_.subspan(start), name_};
  }
  [[noreturn]] void complain(std::string_view reason) const {
    fail(ErrorCode::bad_file, "{}: {}", name_, reason);
  }

 private:
  std::span<const std::byte> data_;
  const std::string& name_;
};

/// Tags of the first directory: the extent, EXIF's orientation, the samples' format.
ImageHeader read_tags(const Bytes& file) {
  const bool big = file.starts_with("MM");
  auto number = [&](std::size_t at, std::size_t count) {
    return big ? file.big(at, count) : file.little(at, count);
  };
  ImageHeader header{"TIFF"};
  const std::size_t directory = number(4, 4);
  for (std::uint32_t i = 0; i < number(directory, 2); ++i) {
    const std::size_t entry = directory + 2 + std::size_t{12} * i;
    auto value = [&] {
      const std::size_t bytes = number(entry + 2, 2) == 3 ? 2 : 4;
      const bool inside = number(entry + 4, 4) * bytes <= 4;  // else the entry says where its values are
      return number(inside ? entry + 8 : number(entry + 8, 4), bytes);
    };
    const std::uint32_t tag = number(entry, 2);
    if (tag == 256) header.width = value();
    if (tag == 257) header.height = value();
    if (tag == 274) header.orientation = static_cast<int>(value());
    if (tag == 339 && value() == 3) file.complain("has pixels in floating point; 8 and 16 bits are read");
  }
  return header;
}

/// EXIF data are a TIFF file without pixels: its orientation; 1 where it makes no sense, as for decoders.
int read_exif(const Bytes& file) {
  try {
    return read_tags(file).orientation;
  } catch (const Error&) {
    return 1;
  }
}

/// Segments up to the frame header give the extent; the end-of-image marker must follow somewhere.
ImageHeader sniff_jpeg(const Bytes& file) {
  ImageHeader header{"JPEG"};
  std::size_t at = 2;
  while (header.height == 0) {
    while (file.byte(at) == 0xff && file.byte(at + 1) == 0xff) ++at;
    if (file.byte(at) != 0xff) file.complain("is a broken JPEG file");
    const std::uint32_t marker = file.byte(at + 1), length = file.big(at + 2, 2);
    if (marker == 0xd9 || marker == 0xda || length < 2) file.complain("is a broken JPEG file");
    const bool frame = marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    if (frame) {
      header.height = file.big(at + 5, 2), header.width = file.big(at + 7, 2);
      if (header.height == 0) file.complain("has no pixels");
    }
    if (marker == 0xe1 && file.starts_with("Exif", at + 4))
      header.orientation = read_exif(file.from(at + 10));
    at += 2 + length;
  }
  for (std::size_t end = file.size(); end-- > at;)  // not before: an EXIF thumbnail has an end of its own
    if (file.byte(end) == 0xd9 && file.byte(end - 1) == 0xff) return header;
  file.complain("is cut short (a JPEG without its end)");
}

ImageHeader sniff_png(const Bytes& file) {
  ImageHeader header{"PNG", file.big(16, 4), file.big(20, 4)};
  for (std::size_t at = 8; !file.starts_with("IEND", at + 4); at += std::size_t{12} + file.big(at, 4))
    if (file.starts_with("eXIf", at + 4)) header.orientation = read_exif(file.from(at + 8));
  return header;
}

ImageHeader sniff_bmp(const Bytes& file) {
  const auto height = static_cast<std::int32_t>(file.little(22, 4));
  if (file.size() < file.little(2, 4)) file.complain("is cut short");
  return {"BMP", static_cast<std::int32_t>(file.little(18, 4)), height < 0 ? -std::int64_t{height} : height};
}

ImageHeader sniff_tiff(const Bytes& file) {
  ImageHeader header = read_tags(file);
  header.orientation = 1;
  return header;
}

int orientation_of_webp(const Bytes& file) {
  for (std::size_t at = 12; at + 8 < file.size();) {
    const std::size_t size = file.little(at + 4, 4);
    if (file.starts_with("EXIF", at))
      return read_exif(file.from(at + (file.starts_with("Exif", at + 8) ? 14 : 8)));
    at += 8 + size + size % 2;
  }
  return 1;
}

ImageHeader sniff_webp(const Bytes& file) {
  if (file.size() < std::size_t{8} + file.little(4, 4)) file.complain("is cut short");
  if (file.starts_with("VP8X", 12))
    return {"WebP", file.little(24, 3) + 1, file.little(27, 3) + 1, orientation_of_webp(file)};
  if (file.starts_with("VP8L", 12)) {
    const std::uint32_t bits = file.little(21, 4);
    return {"WebP", (bits & 0x3fffU) + 1, (bits >> 14U & 0x3fffU) + 1};
  }
  return {"WebP", file.little(26, 2) & 0x3fffU, file.little(28, 2) & 0x3fffU};
}

}  // namespace

ImageHeader sniff(std::span<const std::byte> data, const std::string& name) {
  using namespace std::string_view_literals;
  const Bytes file(data, name);
  if (data.empty()) file.complain("is empty");
  if (data.size() > kMostFileBytes) file.complain("is larger than 2 GiB");
  if (file.starts_with("\xff\xd8\xff"sv)) return sniff_jpeg(file);
  if (file.starts_with("\x89PNG\r\n\x1a\n"sv)) return sniff_png(file);
  if (file.starts_with("RIFF") && file.starts_with("WEBP", 8)) return sniff_webp(file);
  if (file.starts_with("BM")) return sniff_bmp(file);
  if (file.starts_with("II*\0"sv) || file.starts_with("MM\0*"sv)) return sniff_tiff(file);
  file.complain("is no JPEG, PNG, WebP, TIFF or BMP image");
}

}  // namespace atrous
