// SPDX-License-Identifier: Apache-2.0
// JPEG through libjpeg, as OpenCV does it: OpenCV's image files bring a hundred libraries, which take ten
// times as long to load as a photo to decode.
#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <new>
// after <cstdio>, which it needs
#include <jerror.h>
#include <jpeglib.h>

#include "core/error.h"
#include "image/codec.h"
#include "image/coding.h"

namespace atrous {
namespace {

constexpr int kMostScans = 500;  ///< small files of many scans keep a decoder busy for hours

/// libjpeg reports errors through a function that must not return, so where it is called no object with a
/// destructor lives across it.
struct Errors : jpeg_error_mgr {
  Errors() : jpeg_error_mgr{} {
    jpeg_std_error(this);
    error_exit = [](j_common_ptr jpeg) { std::longjmp(static_cast<Errors*>(jpeg->err)->place, 1); };
    emit_message = [](j_common_ptr, int) {};
  }
  void check_memory() const {
    if (msg_code == JERR_OUT_OF_MEMORY) throw std::bad_alloc();
  }
  std::jmp_buf place{};
};

/// libjpeg's struct of a file: jpeg_decompress_struct or jpeg_compress_struct.
template <typename Struct>
struct Jpeg : Struct {
  Jpeg() : Struct{} { this->err = &errors; }
  ~Jpeg() { jpeg_destroy(reinterpret_cast<j_common_ptr>(static_cast<Struct*>(this))); }
  Jpeg(const Jpeg&) = delete;
  Jpeg& operator=(const Jpeg&) = delete;
  Errors errors;
};
struct Decompress : Jpeg<jpeg_decompress_struct> {
  jpeg_progress_mgr watch{};
};

/// libjpeg's output, into a vector. Nothing may be thrown where libjpeg calls back.
struct Sink : jpeg_destination_mgr {
  Sink() : jpeg_destination_mgr{} {
    init_destination = [](j_compress_ptr jpeg) { static_cast<Sink*>(jpeg->dest)->start(); };
    empty_output_buffer = [](j_compress_ptr jpeg) -> boolean {
      static_cast<Sink*>(jpeg->dest)->take(jpeg, sizeof buffer);
      return TRUE;
    };
    term_destination = [](j_compress_ptr jpeg) {
      Sink* sink = static_cast<Sink*>(jpeg->dest);
      sink->take(jpeg, sizeof buffer - sink->free_in_buffer);
    };
  }
  void start() { next_output_byte = buffer, free_in_buffer = sizeof buffer; }
  void take(j_compress_ptr jpeg, std::size_t count) {
    const bool taken = append(file, buffer, count);
    start();
    if (!taken) ERREXIT1(jpeg, JERR_OUT_OF_MEMORY, 0);
  }
  std::vector<std::byte> file;
  JOCTET buffer[1 << 14];
};
struct Compress : Jpeg<jpeg_compress_struct> {
  Sink sink;
};

/// The header, and how the pixels are to come: as inks or as RGB.
bool begin(Decompress& jpeg, std::span<const std::byte> file) {
  if (setjmp(jpeg.errors.place) != 0) return false;
  jpeg_create_decompress(&jpeg);
  jpeg_mem_src(&jpeg, reinterpret_cast<const unsigned char*>(file.data()), file.size());
  jpeg_read_header(&jpeg, TRUE);
  jpeg.out_color_space = jpeg.num_components == 4 ? JCS_CMYK : JCS_RGB;
  jpeg_calc_output_dimensions(&jpeg);
  return true;
}

/// Into rows without gaps.
bool read_rows(Decompress& jpeg, std::uint8_t* row) {
  if (setjmp(jpeg.errors.place) != 0) return false;
  jpeg.watch.progress_monitor = [](j_common_ptr common) {
    if (reinterpret_cast<j_decompress_ptr>(common)->input_scan_number > kMostScans)
      common->err->error_exit(common);
  };
  jpeg.progress = &jpeg.watch;
  jpeg_start_decompress(&jpeg);
  const std::size_t stride =
      std::size_t{jpeg.output_width} * static_cast<std::size_t>(jpeg.output_components);
  for (; jpeg.output_scanline < jpeg.output_height; row += stride) jpeg_read_scanlines(&jpeg, &row, 1);
  jpeg_finish_decompress(&jpeg);
  return true;
}

/// Inks are stored as what they leave of the light, which is how Adobe's programs and all after them do it.
/// OpenCV rounds other than to the nearest here.
void mix_inks(std::span<const std::uint8_t> inks, std::vector<std::uint8_t>& rgb) {
  for (std::size_t i = 0; i < inks.size() / 4; ++i)
    for (std::size_t c = 0; c < 3; ++c)
      rgb[3 * i + c] = static_cast<std::uint8_t>((inks[4 * i + c] * inks[4 * i + 3] + 127) / 255);
}

bool write(Compress& jpeg, const ImageView& image, int quality) {
  if (setjmp(jpeg.errors.place) != 0) return false;
  jpeg_create_compress(&jpeg);
  jpeg.dest = &jpeg.sink;
  jpeg.image_width = static_cast<JDIMENSION>(image.width);
  jpeg.image_height = static_cast<JDIMENSION>(image.height);
  jpeg.input_components = 3;
  jpeg.in_color_space = JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, quality, TRUE);
  jpeg_start_compress(&jpeg, TRUE);
  for (int y = 0; y < image.height; ++y) {
    auto* row = const_cast<JSAMPROW>(image.row(y));
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  return true;
}

}  // namespace

Image decode_jpeg(std::span<const std::byte> file, const ImageHeader& header) {
  Decompress jpeg;
  const bool begun = begin(jpeg, file);
  if (!begun) jpeg.errors.check_memory();
  if (!begun || jpeg.output_width != header.width || jpeg.output_height != header.height) return {};
  const std::size_t pixels = std::size_t{jpeg.output_width} * jpeg.output_height;
  Image image{static_cast<int>(header.width), static_cast<int>(header.height),
              std::vector<std::uint8_t>(pixels * 3)};
  std::vector<std::uint8_t> inks(jpeg.out_color_space == JCS_CMYK ? pixels * 4 : 0);
  if (!read_rows(jpeg, inks.empty() ? image.rgb.data() : inks.data())) {
    jpeg.errors.check_memory();
    return {};
  }
  mix_inks(inks, image.rgb);
  return image;
}

std::vector<std::byte> encode_jpeg(const ImageView& image, int quality) {
  if (std::max(image.width, image.height) > JPEG_MAX_DIMENSION)
    fail(ErrorCode::unsupported, "an image of {}x{} is no JPEG: {} pixels a side is the most", image.width,
         image.height, JPEG_MAX_DIMENSION);
  Compress jpeg;
  if (!write(jpeg, image, quality)) {
    jpeg.errors.check_memory();
    fail(ErrorCode::internal, "a JPEG of {}x{} cannot be encoded", image.width, image.height);
  }
  return std::move(jpeg.sink.file);
}

}  // namespace atrous
