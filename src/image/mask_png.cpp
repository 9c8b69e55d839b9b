// SPDX-License-Identifier: Apache-2.0
// Indexed PNG through libpng: OpenCV neither writes palettes nor reads indices.
#include <png.h>

#include <array>
#include <csetjmp>
#include <cstring>
#include <new>

#include "core/error.h"
#include "core/files.h"
#include "image/codec.h"
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

bool append(std::vector<std::byte>& out, const std::byte* begin, std::size_t count) {
  try {
    out.insert(out.end(), begin, begin + count);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void append_bytes(png_structp png, png_bytep data, std::size_t count) {
  auto* out = static_cast<std::vector<std::byte>*>(png_get_io_ptr(png));
  if (!append(*out, reinterpret_cast<const std::byte*>(data), count)) png_error(png, "no memory");
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

/// libpng reports errors by longjmp, so these two hold no objects with destructors across it.
bool write_indexed(png_structp png, png_infop info, const LabelMap& labels, png_const_colorp palette,
                   std::vector<std::byte>* out) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_set_write_fn(png, out, append_bytes, nullptr);
  png_set_IHDR(png, info, static_cast<png_uint_32>(labels.width), static_cast<png_uint_32>(labels.height), 8,
               PNG_COLOR_TYPE_PALETTE, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_set_PLTE(png, info, palette, 256);
  png_write_info(png, info);
  for (int y = 0; y < labels.height; ++y)
    png_write_row(png,
                  labels.ids.data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(labels.width));
  png_write_end(png, info);
  return true;
}

/// 0: done; 1: broken; 2: of another kind.
int read_indexed(png_structp png, png_infop info, Reader* reader, LabelMap* labels) {
  if (setjmp(png_jmpbuf(png)) != 0) return 1;
  png_set_read_fn(png, reader, take_bytes);
  png_read_info(png, info);
  const int type = png_get_color_type(png, info);
  if ((type != PNG_COLOR_TYPE_PALETTE && type != PNG_COLOR_TYPE_GRAY) || png_get_bit_depth(png, info) > 8)
    return 2;
  png_set_packing(png);
  const int passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  labels->width = static_cast<int>(png_get_image_width(png, info));
  labels->height = static_cast<int>(png_get_image_height(png, info));
  labels->ids.resize(static_cast<std::size_t>(labels->width) * static_cast<std::size_t>(labels->height));
  for (int pass = 0; pass < passes; ++pass)
    for (int y = 0; y < labels->height; ++y)
      png_read_row(png,
                   labels->ids.data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(labels->width),
                   nullptr);
  return 0;
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
  std::vector<std::byte> out;
  const Png png(Png::kWrite);
  if (!write_indexed(png.png(), png.info(), labels, palette.data(), &out)) {
    png.check_memory();
    fail(ErrorCode::internal, "a mask of {}x{} cannot be encoded", labels.width, labels.height);
  }
  return out;
}

LabelMap load_mask(const std::filesystem::path& file) {
  const std::vector<std::byte> bytes = read_file(file);
  const ImageHeader header = sniff(bytes, file.string());
  if (header.format != "PNG")
    fail(ErrorCode::bad_file, "{}: a label map must be a PNG, this is a {}", file.string(), header.format);
  if (header.width < 1 || header.height < 1 || header.width > kMostImagePixels / header.height)
    fail(ErrorCode::bad_file, "{}: claims {}x{} pixels", file.string(), header.width, header.height);
  Reader reader{bytes};
  LabelMap labels;
  const Png png(Png::kRead);
  const int status = read_indexed(png.png(), png.info(), &reader, &labels);
  if (status == 1) png.check_memory();
  if (status == 1) fail(ErrorCode::bad_file, "{}: is a broken PNG file", file.string());
  if (status == 2)
    fail(ErrorCode::bad_file, "{}: a label map must be an indexed or grey PNG of at most 8 bits",
         file.string());
  return labels;
}

}  // namespace atrous
