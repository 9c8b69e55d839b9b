// SPDX-License-Identifier: Apache-2.0
#include "image/sniff.h"

#include <cstring>
#include <optional>

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
  Bytes part(std::size_t start, std::size_t count) const {
    if (start > data_.size() || count > data_.size() - start) complain("is cut short");
    return {data_.subspan(start, count), name_};
  }
  [[noreturn]] void complain(std::string_view reason) const {
    fail(ErrorCode::bad_file, "{}: {}", name_, reason);
  }

 private:
  std::span<const std::byte> data_;
  const std::string& name_;
};

/// A number of a TIFF file, in its order of bytes.
std::uint32_t tiff_number(const Bytes& file, std::size_t at, std::size_t count) {
  return file.starts_with("MM") ? file.big(at, count) : file.little(at, count);
}

/// f(tag, where its entry is) of the first directory's tags, until it returns true.
template <typename F>
void each_tag(const Bytes& file, const F& f) {
  const std::size_t directory = tiff_number(file, 4, 4);
  for (std::uint32_t i = 0; i < tiff_number(file, directory, 2); ++i) {
    const std::size_t entry = directory + 2 + std::size_t{12} * i;
    if (f(tiff_number(file, entry, 2), entry)) return;
  }
}

bool is_tiff(const Bytes& file) {
  using namespace std::string_view_literals;
  return file.starts_with("II*\0"sv) || file.starts_with("MM\0*"sv);
}

/// Of EXIF data, which are a TIFF file without pixels; none where they make no sense.
std::optional<int> orientation_of(const Bytes& exif) {
  std::optional<int> found;
  if (!is_tiff(exif)) return found;
  try {
    each_tag(exif, [&](std::uint32_t tag, std::size_t entry) {
      const std::uint32_t value = tag == 274 ? tiff_number(exif, entry + 8, 2) : 0;
      if (value >= 1 && value <= 8) found = static_cast<int>(value);
      return found.has_value();
    });
  } catch (const Error&) {
  }
  return found;
}

/// Segments up to the pixels give the extent; the end-of-image marker must follow somewhere.
ImageHeader sniff_jpeg(const Bytes& file) {
  ImageHeader header{"JPEG"};
  std::optional<int> orientation;
  std::size_t at = 2;
  for (bool more = true; more;) {
    while (file.byte(at) == 0xff && file.byte(at + 1) == 0xff) ++at;
    const std::uint32_t marker = file.byte(at + 1), length = file.big(at + 2, 2);
    const bool has_no_length = marker <= 0x01 || (marker >= 0xd0 && marker <= 0xd9);
    more = marker != 0xda;
    if (file.byte(at) != 0xff || has_no_length || length < 2 || (!more && header.height == 0))
      file.complain("is a broken JPEG file");
    const bool frame = marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    if (frame && header.height == 0) {
      header.height = file.big(at + 5, 2), header.width = file.big(at + 7, 2);
      if (header.height == 0) file.complain("has no pixels");
    }
    if (marker == 0xe1 && !orientation && length >= 8 && file.starts_with("Exif", at + 4))
      orientation = orientation_of(file.part(at + 10, length - 8));
    at += 2 + length;
  }
  header.orientation = orientation.value_or(1);
  for (std::size_t end = file.size(); end-- > at;)  // not before: an EXIF thumbnail has an end of its own
    if (file.byte(end) == 0xd9 && file.byte(end - 1) == 0xff) return header;
  file.complain("is cut short (a JPEG without its end)");
}

ImageHeader sniff_png(const Bytes& file) {
  if (!file.starts_with("IHDR", 12)) file.complain("is a broken PNG file");
  std::optional<int> orientation;
  for (std::size_t at = 8; !file.starts_with("IEND", at + 4);) {
    const std::size_t size = file.big(at, 4);
    if (!orientation && file.starts_with("eXIf", at + 4))
      orientation = orientation_of(file.part(at + 8, size));
    at += 12 + size;
  }
  return {"PNG", file.big(16, 4), file.big(20, 4), orientation.value_or(1)};
}

ImageHeader sniff_bmp(const Bytes& file) {
  const auto height = static_cast<std::int32_t>(file.little(22, 4));
  if (file.size() < file.little(2, 4)) file.complain("is cut short");
  return {"BMP", static_cast<std::int32_t>(file.little(18, 4)), height < 0 ? -std::int64_t{height} : height};
}

ImageHeader sniff_tiff(const Bytes& file) {
  ImageHeader header{"TIFF"};
  each_tag(file, [&](std::uint32_t tag, std::size_t entry) {
    auto value = [&] {
      const std::size_t bytes = tiff_number(file, entry + 2, 2) == 3 ? 2 : 4;
      const bool inside = tiff_number(file, entry + 4, 4) * bytes <= 4;  // else the entry says where it is
      return tiff_number(file, inside ? entry + 8 : tiff_number(file, entry + 8, 4), bytes);
    };
    if (tag == 256) header.width = value();
    if (tag == 257) header.height = value();
    if (tag == 339 && value() == 3) file.complain("has pixels in floating point; 8 and 16 bits are read");
    return false;
  });
  return header;
}

int orientation_of_webp(const Bytes& file) {
  for (std::size_t at = 12; at + 8 < file.size();) {
    const std::size_t size = file.little(at + 4, 4), lead = file.starts_with("Exif", at + 8) ? 6 : 0;
    if (file.starts_with("EXIF", at) && size >= lead)
      if (const std::optional<int> found = orientation_of(file.part(at + 8 + lead, size - lead)))
        return *found;
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
  if (is_tiff(file)) return sniff_tiff(file);
  file.complain("is no JPEG, PNG, WebP, TIFF or BMP image");
}

}  // namespace atrous
