// SPDX-License-Identifier: Apache-2.0
// PNG through libpng: OpenCV neither writes palettes nor reads indices, and takes long to load (jpeg.cpp).
#include <png.h>

#include <array>
#include <csetjmp>
#include <cstring>
#include <new>

#include "core/error.h"
#include "core/files.h"
#include "image/codec.h"
#include "image/coding.h"
#include "image/sniff.h"

namespace atrous {
namespace {

/// libpng's two structs of a file. Where libpng calls back, nothing may be thrown: it is C, and would leak.
class Png {
 public:
  enum Direction { kRead, kWrite };
  explicit Png(Direction direction) {
    auto* create = direction == kRead ? png_create_read_struct : png_create_write_struct;
    png_ = create(PNG_LIBPNG_VER_STRING, this, jump_out, ignore_warning);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
    destroy_ = direction == kRead
                   ? [](png_structpp png, png_infopp info) { png_destroy_read_struct(png, info, nullptr); }
                   : png_destroy_write_struct;
    if (info_ != nullptr) return;
    destroy_(&png_, &info_);
    throw std::bad_alloc();
  }
  ~Png() { destroy_(&png_, &info_); }
  Png(const Png&) = delete;
  Png& operator=(const Png&) = delete;

  png_structp png() const { return png_; }
  png_infop info() const { return info_; }
  /// After a failure.
  void check_memory() const {
    if (lacks_memory_) throw std::bad_alloc();
  }

 private:
  static void ignore_warning(png_structp, png_const_charp) {}
  static void jump_out(png_structp png,
                       png_const_charp message) {  // "Out of memory", zlib's "insufficient memory"
    static_cast<Png*>(png_get_error_ptr(png))->lacks_memory_ = std::strstr(message, "memory") != nullptr;
    longjmp(png_jmpbuf(png), 1);
  }

  png_structp png_;
  png_infop info_ = nullptr;
  void (*destroy_)(png_structpp, png_infopp);
  bool lacks_memory_ = false;
};

void append_bytes(png_structp png, png_bytep data, std::size_t count) {
  auto* out = static_cast<std::vector<std::byte>*>(png_get_io_ptr(png));
  if (!append(*out, data, count)) png_error(png, "no memory");
}

struct Reader {
  std::span<const std::byte> rest;
};
void take_bytes(png_structp png, png_bytep data, std::size_t count) {
  auto* reader = static_cast<Reader*>(png_get_io_ptr(png));
  if (count > reader->rest.size()) png_error(png, "short");
  std::memcpy(data, reader->rest.data(), count);
  reader->rest = reader->rest.subspan(count);
}

/// libpng reports errors by longjmp, so these two hold no objects with destructors across it. With a palette
/// of 256 colours the image's bytes are indices of it, without one RGB.
bool write(png_structp png, png_infop info, const ImageView& image, png_const_colorp palette,
           std::vector<std::byte>* out) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_set_write_fn(png, out, append_bytes, nullptr);
  png_set_IHDR(png, info, static_cast<png_uint_32>(image.width), static_cast<png_uint_32>(image.height), 8,
               palette != nullptr ? PNG_COLOR_TYPE_PALETTE : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (palette != nullptr) {
    png_set_PLTE(png, info, palette, 256);
  } else {  // half of the default's time; of colour maps, an eighth to a half more bytes
    png_set_compression_level(png, 4);
    png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_SUB);
  }
  png_write_info(png, info);
  for (int y = 0; y < image.height; ++y) png_write_row(png, image.row(y));
  png_write_end(png, info);
  return true;
}

enum class Content { rgb, indices };
enum class Outcome { done, broken, other_kind };

/// Of `rgb` three bytes a pixel, of `indices` one.
Outcome read(png_structp png, png_infop info, Reader* reader, Content content, const ImageHeader& header,
             std::vector<std::uint8_t>* bytes) {
  if (setjmp(png_jmpbuf(png)) != 0) return Outcome::broken;
  png_set_read_fn(png, reader, take_bytes);
  png_read_info(png, info);
  if (png_get_image_width(png, info) != header.width || png_get_image_height(png, info) != header.height)
    return Outcome::broken;
  if (content == Content::rgb) {
    png_set_palette_to_rgb(png);
    png_set_gray_to_rgb(png);
    png_set_strip_16(png);
    png_set_strip_alpha(png);
  } else {
    const int type = png_get_color_type(png, info);
    if ((type != PNG_COLOR_TYPE_PALETTE && type != PNG_COLOR_TYPE_GRAY) || png_get_bit_depth(png, info) > 8)
      return Outcome::other_kind;
    png_set_packing(png);
  }
  const int passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  const auto height = static_cast<std::size_t>(header.height);
  const std::size_t stride = static_cast<std::size_t>(header.width) * (content == Content::rgb ? 3 : 1);
  bytes->resize(stride * height);
  for (int pass = 0; pass < passes; ++pass)
    for (std::size_t y = 0; y < height; ++y) png_read_row(png, bytes->data() + y * stride, nullptr);
  return Outcome::done;
}

std::vector<std::byte> encode(const ImageView& image, png_const_colorp palette) {
  std::vector<std::byte> out;
  const Png png(Png::kWrite);
  if (!write(png.png(), png.info(), image, palette, &out)) {
    png.check_memory();
    fail(ErrorCode::internal, "a PNG of {}x{} cannot be encoded", image.width, image.height);
  }
  return out;
}

}  // namespace

std::vector<std::byte> encode_mask(const LabelMap& labels, const LabelSet& set) {
  std::array<png_color, 256> palette{};
  for (std::size_t i = 0; i < palette.size(); ++i) {
    const Rgb color = i < set.classes.size() ? set.classes[i].color
                      : i == kIgnore         ? kIgnoreColor
                                             : voc_color(static_cast<int>(i));
    palette[i] = {color[0], color[1], color[2]};
  }
  return encode({labels.ids.data(), labels.width, labels.height, labels.width}, palette.data());
}

std::vector<std::byte> encode_png(const ImageView& image) { return encode(image, nullptr); }

Image decode_png(std::span<const std::byte> file, const ImageHeader& header) {
  Reader reader{file};
  Image image{static_cast<int>(header.width), static_cast<int>(header.height), {}};
  const Png png(Png::kRead);
  if (read(png.png(), png.info(), &reader, Content::rgb, header, &image.rgb) == Outcome::done) return image;
  png.check_memory();
  return {};
}

LabelMap load_mask(const std::filesystem::path& file) {
  const std::vector<std::byte> bytes = read_file(file);
  const ImageHeader header = sniff(bytes, file.string());
  if (header.format != "PNG")
    fail(ErrorCode::bad_file, "{}: a label map must be a PNG, this is a {}", file.string(), header.format);
  if (header.width < 1 || header.height < 1 || header.width > kMostImagePixels / header.height)
    fail(ErrorCode::bad_file, "{}: claims {}x{} pixels", file.string(), header.width, header.height);
  Reader reader{bytes};
  LabelMap labels{static_cast<int>(header.width), static_cast<int>(header.height), {}};
  const Png png(Png::kRead);
  const Outcome outcome = read(png.png(), png.info(), &reader, Content::indices, header, &labels.ids);
  if (outcome == Outcome::broken) png.check_memory();
  if (outcome == Outcome::broken) fail(ErrorCode::bad_file, "{}: is a broken PNG file", file.string());
  if (outcome == Outcome::other_kind)
    fail(ErrorCode::bad_file, "{}: a label map must be an indexed or grey PNG of at most 8 bits",
         file.string());
  return labels;
}

}  // namespace atrous
