// SPDX-License-Identifier: Apache-2.0
// Image files as they come: every kind decodes to the same pixels, and hostile ones fail in one line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <png.h>
#include <sys/resource.h>

#include <cmath>
#include <cstring>
#include <opencv2/imgcodecs.hpp>
#include <random>

#include "core/error.h"
#include "core/files.h"
#include "image/codec.h"
#include "image/overlay.h"
#include "support/temp_folder.h"

namespace atrous {
namespace {

using Bytes = std::vector<std::byte>;

Bytes encode(const std::string& extension, const cv::Mat& image) {
  std::vector<unsigned char> bytes;
  cv::imencode(extension, image, bytes, {cv::IMWRITE_JPEG_QUALITY, 100, cv::IMWRITE_WEBP_QUALITY, 101});
  const auto* begin = reinterpret_cast<const std::byte*>(bytes.data());
  return {begin, begin + bytes.size()};
}

/// A quadrant of each colour, BGR.
cv::Mat quadrants(int width = 48, int height = 32) {
  cv::Mat image(height, width, CV_8UC3, cv::Scalar(20, 40, 200));
  image(cv::Rect(width / 2, 0, width - width / 2, height / 2)).setTo(cv::Scalar(30, 180, 60));
  image(cv::Rect(0, height / 2, width / 2, height - height / 2)).setTo(cv::Scalar(220, 90, 10));
  return image;
}

std::array<int, 3> pixel(const Image& image, int x, int y) {
  const std::uint8_t* p = image.view().row(y) + std::ptrdiff_t{3} * x;
  return {p[0], p[1], p[2]};
}

std::string message_of(const Bytes& file) {
  try {
    decode_image(file, "photo.x");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::bad_file);
    EXPECT_THAT(error.message(), testing::StartsWith("photo.x: "));
    EXPECT_THAT(error.message(), testing::Not(testing::HasSubstr("\n")));
    return error.message();
  }
  return "decoded";
}

Bytes text(std::string_view content) {
  const auto* begin = reinterpret_cast<const std::byte*>(content.data());
  return {begin, begin + content.size()};
}

TEST(Codec, EveryFormatGivesTheSamePixels) {
  for (const char* extension : {".jpg", ".png", ".webp", ".tiff", ".bmp"}) {
    const Image image = decode_image(encode(extension, quadrants()), "photo");
    ASSERT_EQ(image.width, 48) << extension;
    ASSERT_EQ(image.height, 32) << extension;
    const std::vector<std::pair<std::array<int, 3>, std::array<int, 3>>> pairs{
        {pixel(image, 4, 4), {200, 40, 20}},
        {pixel(image, 44, 4), {60, 180, 30}},
        {pixel(image, 4, 28), {10, 90, 220}}};
    for (const auto& [got, want] : pairs)
      for (std::size_t c = 0; c < 3; ++c) EXPECT_NEAR(got[c], want[c], 3) << extension;
  }
}

TEST(Codec, GreyAlphaAnd16Bit) {
  const Image grey = decode_image(encode(".png", cv::Mat(3, 5, CV_8UC1, cv::Scalar(77))), "grey");
  EXPECT_EQ(pixel(grey, 4, 2), (std::array<int, 3>{77, 77, 77}));
  const Image deep =
      decode_image(encode(".png", cv::Mat(3, 5, CV_16UC3, cv::Scalar(0x1111, 0x8080, 0xffff))), "deep");
  EXPECT_EQ(pixel(deep, 0, 0), (std::array<int, 3>{0xff, 0x80, 0x11}));
  const Image deep_grey = decode_image(encode(".tiff", cv::Mat(3, 5, CV_16UC1, cv::Scalar(0x4040))), "deep");
  EXPECT_EQ(pixel(deep_grey, 0, 0), (std::array<int, 3>{0x40, 0x40, 0x40}));
  const Image clear = decode_image(encode(".png", cv::Mat(3, 5, CV_8UC4, cv::Scalar(1, 2, 3, 0))), "alpha");
  EXPECT_EQ(pixel(clear, 0, 0), (std::array<int, 3>{3, 2, 1}));
}

/// Largest difference of a sample from what OpenCV makes of the file.
int difference_from_opencv(const Bytes& file) {
  const cv::Mat bytes(1, static_cast<int>(file.size()), CV_8UC1, const_cast<std::byte*>(file.data()));
  cv::Mat expected = cv::imdecode(bytes, cv::IMREAD_COLOR);
  const Image image = decode_image(file, "photo");
  if (image.width != expected.cols || image.height != expected.rows) return 256;
  int largest = 0;
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x)
      for (int c = 0; c < 3; ++c)
        largest = std::max(largest, std::abs(pixel(image, x, y)[static_cast<std::size_t>(2 - c)] -
                                             expected.at<cv::Vec3b>(y, x)[c]));
  return largest;
}

cv::Mat noise(int type, int width = 61, int height = 37) {
  cv::Mat image(height, width, type);
  cv::theRNG().state = 7;
  cv::randu(image, cv::Scalar::all(0), cv::Scalar::all(image.depth() == CV_16U ? 65536 : 256));
  return image;
}

TEST(Codec, JpegsOfEveryKindDecodeAsInOpenCV) {
  const Image photo =
      load_image(std::filesystem::path(ATROUS_TEST_SOURCE_DIR) / "tools/samples/astronaut.jpg");
  const cv::Mat large(photo.height, photo.width, CV_8UC3, const_cast<std::uint8_t*>(photo.rgb.data()));
  for (const cv::Mat& image : {large, noise(CV_8UC3), noise(CV_8UC1), noise(CV_8UC3, 1, 1)})
    for (const std::vector<int>& options : std::vector<std::vector<int>>{{},
                                                                         {cv::IMWRITE_JPEG_PROGRESSIVE, 1},
                                                                         {cv::IMWRITE_JPEG_QUALITY, 12},
                                                                         {cv::IMWRITE_JPEG_RST_INTERVAL, 2},
                                                                         {cv::IMWRITE_JPEG_OPTIMIZE, 1}}) {
      std::vector<unsigned char> bytes;
      cv::imencode(".jpg", image, bytes, options);
      const auto* begin = reinterpret_cast<const std::byte*>(bytes.data());
      EXPECT_LE(difference_from_opencv({begin, begin + bytes.size()}), 2) << testing::PrintToString(options);
    }
}

TEST(Codec, PngsOfEveryKindDecodeAsInOpenCV) {
  for (int type : {CV_8UC1, CV_8UC3, CV_8UC4, CV_16UC1, CV_16UC3, CV_16UC4})
    EXPECT_EQ(difference_from_opencv(encode(".png", noise(type))), 0) << type;
}

TEST(Codec, InterlacedPngDecodesAsInOpenCV) {
  cv::Mat pixels = noise(CV_8UC3);
  Bytes file;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  const auto append = [](png_structp to, png_bytep data, std::size_t count) {
    const auto* begin = reinterpret_cast<const std::byte*>(data);
    auto* out = static_cast<Bytes*>(png_get_io_ptr(to));
    out->insert(out->end(), begin, begin + count);
  };
  png_set_write_fn(png, &file, append, nullptr);
  png_set_IHDR(png, info, static_cast<png_uint_32>(pixels.cols), static_cast<png_uint_32>(pixels.rows), 8,
               PNG_COLOR_TYPE_RGB, PNG_INTERLACE_ADAM7, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  std::vector<png_bytep> rows;
  for (int y = 0; y < pixels.rows; ++y) rows.push_back(pixels.ptr(y));
  png_write_image(png, rows.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  EXPECT_EQ(difference_from_opencv(file), 0);
}

TEST(Codec, WhatIsEncodedDecodesInOpenCV) {
  const Image photo =
      load_image(std::filesystem::path(ATROUS_TEST_SOURCE_DIR) / "tools/samples/astronaut.jpg");
  EXPECT_EQ(difference_from_opencv(encode_png(photo.view())), 0);
  EXPECT_EQ(decode_image(encode_png(photo.view()), "same").rgb, photo.rgb);
  const Bytes jpeg = encode_jpeg(photo.view(), 95);
  EXPECT_LE(difference_from_opencv(jpeg), 2);
  const Image again = decode_image(jpeg, "again");
  double squares = 0;
  for (std::size_t i = 0; i < photo.rgb.size(); ++i)
    squares += std::pow(static_cast<double>(photo.rgb[i]) - again.rgb[i], 2);
  EXPECT_LT(std::sqrt(squares / static_cast<double>(photo.rgb.size())), 4);
  EXPECT_LT(encode_jpeg(photo.view(), 30).size(), jpeg.size() / 2);
  const Image line{70'000, 1, std::vector<std::uint8_t>(210'000)};
  EXPECT_THAT([&] { encode_jpeg(line.view()); }, testing::Throws<Error>()) << "longer than a JPEG may be";
  const Crop part{7, 5, 33, 21};  // with a stride
  EXPECT_EQ(decode_image(encode_png(cut(photo.view(), part)), "part").width, 33);
  EXPECT_EQ(pixel(decode_image(encode_png(cut(photo.view(), part)), "part"), 2, 20), pixel(photo, 9, 25));
}

/// Every scan of a progressive JPEG's first is sent again and again.
TEST(Codec, JpegOfTooManyScansIsRefused) {
  std::vector<unsigned char> bytes;
  cv::imencode(".jpg", noise(CV_8UC1), bytes, {cv::IMWRITE_JPEG_PROGRESSIVE, 1});
  const auto scan = [&](std::size_t from) {
    while (bytes[from] != 0xff || bytes[from + 1] != 0xda) ++from;
    return from;
  };
  const std::size_t first = scan(0);
  std::size_t end = first + 2;
  while (bytes[end] != 0xff || bytes[end + 1] == 0) ++end;
  const std::vector<unsigned char> again(bytes.begin() + static_cast<std::ptrdiff_t>(first),
                                         bytes.begin() + static_cast<std::ptrdiff_t>(end));
  for (const int times : {100, 600}) {
    std::vector<unsigned char> file = bytes;
    for (int i = 0; i < times; ++i)
      file.insert(file.begin() + static_cast<std::ptrdiff_t>(first), again.begin(), again.end());
    const auto* begin = reinterpret_cast<const std::byte*>(file.data());
    EXPECT_EQ(message_of({begin, begin + file.size()}),
              times < 500 ? "decoded" : "photo.x: is a broken JPEG file");
  }
}

TEST(Codec, CmykJpegComesOutInRgb) {
  const Image image = load_image(std::filesystem::path(ATROUS_TEST_SOURCE_DIR) / "tests/image/data/cmyk.jpg");
  const auto cyan = pixel(image, 4, 8), yellow = pixel(image, 28, 8);
  EXPECT_TRUE(cyan[0] < 60 && cyan[1] > 120 && cyan[2] > 180);
  EXPECT_TRUE(yellow[0] > 180 && yellow[1] > 180 && yellow[2] < 60);
}

TEST(Codec, SmallestImages) {
  for (auto [w, h] : {std::pair{1, 1}, {1, 17}, {17, 1}}) {
    const Image image = decode_image(encode(".png", cv::Mat(h, w, CV_8UC3, cv::Scalar(9, 8, 7))), "small");
    EXPECT_EQ(image.width, w);
    EXPECT_EQ(image.height, h);
    EXPECT_EQ(pixel(image, w - 1, h - 1), (std::array<int, 3>{7, 8, 9}));
  }
}

/// The JPEG with an EXIF orientation tag behind its start.
Bytes with_orientation(Bytes jpeg, int orientation) {
  const unsigned char segment[] = {
      0xff, 0xe1, 0, 34, 'E', 'x',  'i',  'f', 0, 0, 'M', 'M', 0, 42, 0,
      0,    0,    8, 0,  1,   0x01, 0x12, 0,   3, 0, 0,   0,   1, 0,  static_cast<unsigned char>(orientation),
      0,    0,    0, 0,  0,   0};
  const auto* begin = reinterpret_cast<const std::byte*>(segment);
  jpeg.insert(jpeg.begin() + 2, begin, begin + sizeof(segment));
  return jpeg;
}

/// The WebP in the extended form, with an EXIF chunk that holds the orientation.
Bytes webp_with_orientation(const Bytes& webp, int orientation) {
  const unsigned char exif[] = {
      'V', 'P', '8', 'X', 10,  0,   0,    0,  8, 0, 0, 0,   47,  0,  0,
      31,  0,   0,   'E', 'X', 'I', 'F',  26, 0, 0, 0, 'I', 'I', 42, 0,
      8,   0,   0,   0,   1,   0,   0x12, 1,  3, 0, 1, 0,   0,   0,  static_cast<unsigned char>(orientation),
      0,   0,   0,   0,   0,   0,   0};
  constexpr std::size_t kExtended = 18;  // the chunk in front of the pixels; the other one follows them
  const auto* begin = reinterpret_cast<const std::byte*>(exif);
  Bytes file(webp.begin(), webp.begin() + 12);
  file.insert(file.end(), begin, begin + kExtended);
  file.insert(file.end(), webp.begin() + 12, webp.end());
  file.insert(file.end(), begin + kExtended, begin + sizeof(exif));
  const auto size = static_cast<std::uint32_t>(file.size() - 8);
  for (std::size_t i = 0; i < 4; ++i) file[4 + i] = static_cast<std::byte>(size >> 8 * i);
  return file;
}

/// The PNG with an eXIf chunk behind its header.
Bytes png_with_orientation(Bytes png, int orientation) {
  const unsigned char chunk[] = {0,    0,  0, 26, 'e', 'X', 'I', 'f', 'I',
                                 'I',  42, 0, 8,  0,   0,   0,   1,   0,
                                 0x12, 1,  3, 0,  1,   0,   0,   0,   static_cast<unsigned char>(orientation),
                                 0,    0,  0, 0,  0,   0,   0,   0,   0,
                                 0,    0};  // ends in a checksum, which nobody looks at
  const auto* begin = reinterpret_cast<const std::byte*>(chunk);
  png.insert(png.begin() + 33, begin, begin + sizeof(chunk));
  return png;
}

TEST(Codec, ExifTurnsTheImage) {
  // where the red quadrant, stored at the top left, is shown, and whether the sides change places
  struct Case {
    int orientation;
    bool right, bottom, turned;
  };
  const std::vector<Case> cases{{1, false, false, false}, {2, true, false, false}, {3, true, true, false},
                                {4, false, true, false},  {5, false, false, true}, {6, true, false, true},
                                {7, true, true, true},    {8, false, true, true}};
  const Bytes jpeg = encode(".jpg", quadrants()), webp = encode(".webp", quadrants()),
              png = encode(".png", quadrants());
  for (const Case& c : cases)
    for (const Bytes& file :
         {with_orientation(jpeg, c.orientation), webp_with_orientation(webp, c.orientation),
          png_with_orientation(png, c.orientation)}) {
      const Image image = decode_image(file, "turned");
      ASSERT_EQ(image.width, c.turned ? 32 : 48) << c.orientation;
      ASSERT_EQ(image.height, c.turned ? 48 : 32) << c.orientation;
      const auto red = pixel(image, c.right ? image.width - 4 : 3, c.bottom ? image.height - 4 : 3);
      EXPECT_NEAR(red[0], 200, 4) << c.orientation;
      EXPECT_NEAR(red[2], 20, 4) << c.orientation;
    }
  Bytes nonsense = webp_with_orientation(webp, 6);
  nonsense[nonsense.size() - 22] = std::byte{0xff};  // where the tags are
  EXPECT_EQ(decode_image(nonsense, "nonsense").width, 48);
}

TEST(Codec, OddExifIsReadAsFarAsItMakesSense) {
  const Bytes jpeg = encode(".jpg", quadrants());
  const auto is_turned = [](const Bytes& file) { return decode_image(file, "odd").width == 32; };
  EXPECT_TRUE(is_turned(with_orientation(with_orientation(jpeg, 3), 6))) << "the first counts";
  EXPECT_TRUE(is_turned(with_orientation(with_orientation(jpeg, 6), 9))) << "of those that make sense";
  constexpr std::size_t kStart = 12, kCount = 21,
                        kTag = 23;  // in the file, of the TIFF and of its one entry
  Bytes broken = with_orientation(jpeg, 6);
  broken[kCount] = std::byte{200};  // entries that the segment does not have, behind the one that matters
  EXPECT_TRUE(is_turned(broken));
  for (const std::size_t at : {kStart, kStart + 3, kTag}) {  // no "MM", no 42, another tag
    broken = with_orientation(jpeg, 6);
    broken[at] = std::byte{7};
    EXPECT_FALSE(is_turned(broken)) << at;
  }
  Bytes late = with_orientation(jpeg, 6);  // behind the frame header
  const Bytes segment(late.begin() + 2, late.begin() + 38);
  late.erase(late.begin() + 2, late.begin() + 38);
  std::size_t frame = 2;
  while (late[frame] != std::byte{0xff} || late[frame + 1] != std::byte{0xc0}) ++frame;
  const auto length = std::to_integer<std::ptrdiff_t>(late[frame + 3]);
  late.insert(late.begin() + static_cast<std::ptrdiff_t>(frame) + 2 + length, segment.begin(), segment.end());
  EXPECT_TRUE(is_turned(late));
}

TEST(Codec, HostileFilesFailInOneLine) {
  EXPECT_EQ(message_of({}), "photo.x: is empty");
  EXPECT_THAT(message_of(text("hello, I am a text file")), testing::HasSubstr("is no JPEG, PNG"));
  EXPECT_THAT(message_of(text("GIF89a............................")), testing::HasSubstr("is no JPEG"));
  EXPECT_THAT(message_of(encode(".tiff", cv::Mat(3, 5, CV_32FC1, cv::Scalar(0.5)))),
              testing::HasSubstr("has pixels in floating point"));
  Bytes huge = encode(".png", quadrants());
  const unsigned char claim[] = {0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30};  // 30000 x 30000
  std::memcpy(huge.data() + 16, claim, sizeof(claim));
  EXPECT_THAT(message_of(huge), testing::HasSubstr("claims 30000x30000 pixels"));
  Bytes none = encode(".png", quadrants());
  std::memset(none.data() + 16, 0, 8);
  EXPECT_THAT(message_of(none), testing::HasSubstr("has no pixels (0x0)"));
}

#ifndef ATROUS_SANITIZED  // which keep far more memory than a limit could leave
TEST(Codec, PixelsThatFindNoMemoryAreNoBrokenFile) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  Bytes file = encode(".png", quadrants());
  for (const std::size_t side : {16U, 20U}) file[side + 2] = std::byte{0x40};  // 16384 more each way
  const auto decode_in_little_memory = [&] {
    const rlimit half_a_gigabyte{1U << 29U, 1U << 29U};
    setrlimit(RLIMIT_AS, &half_a_gigabyte);
    try {
      decode_image(file, "huge");
    } catch (const Error& error) {
      std::exit(static_cast<int>(error.code()));
    }
  };
  EXPECT_EXIT(decode_in_little_memory(), testing::ExitedWithCode(static_cast<int>(ErrorCode::out_of_memory)),
              "");
}
#endif

TEST(Codec, TruncatedFilesFail) {
  std::mt19937 random(5);
  cv::Mat noise(40, 56, CV_8UC3);
  for (int i = 0; i < 40 * 56 * 3; ++i) noise.data[i] = static_cast<unsigned char>(random());
  for (const char* extension : {".jpg", ".png", ".webp", ".tiff", ".bmp"}) {
    const Bytes file = encode(extension, noise);
    for (const double share : {0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99}) {
      const Bytes part(file.begin(),
                       file.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(file.size())));
      EXPECT_NE(message_of(part), "decoded") << extension << " cut at " << share;
    }
  }
  // a thumbnail's end is not the photo's
  Bytes file = with_orientation(encode(".jpg", noise), 1);
  file.resize(file.size() * 2 / 3);
  file[36] = std::byte{0xff}, file[37] = std::byte{0xd9};
  EXPECT_NE(message_of(file), "decoded");
}

TEST(Codec, FlippedBytesNeverCrash) {
  std::mt19937 random(11);
  for (const char* extension : {".jpg", ".png", ".webp", ".tiff", ".bmp"}) {
    const Bytes file = encode(extension, quadrants());
    for (int i = 0; i < 150; ++i) {
      Bytes broken = file;
      for (int k = 0; k < 4; ++k)
        broken[random() % std::min<std::size_t>(broken.size(), k < 2 ? 64 : 4096)] =
            static_cast<std::byte>(random());
      message_of(broken);
    }
  }
}

TEST(Mask, KeepsEveryIdAndItsPalette) {
  LabelSet set;
  for (int i = 0; i < 21; ++i) set.classes.push_back({std::to_string(i), voc_color(i)});
  LabelMap labels{16, 16, {}};
  for (int i = 0; i < 256; ++i) labels.ids.push_back(static_cast<std::uint8_t>(i < 21 ? i : 255));
  const test::TempFolder folder;
  const Bytes file = encode_mask(labels, set);
  write_file(folder / "mask.png", file);
  const LabelMap back = load_mask(folder / "mask.png");
  EXPECT_EQ(back.width, 16);
  EXPECT_EQ(back.ids, labels.ids);
  const Image shown = decode_image(file, "mask");
  EXPECT_EQ(pixel(shown, 15, 0), (std::array<int, 3>{192, 128, 128}));
  EXPECT_EQ(pixel(shown, 15, 15), (std::array<int, 3>{224, 224, 192}));
  for (std::size_t length :
       {std::size_t{0}, std::size_t{7}, std::size_t{40}, file.size() / 2, file.size() - 13}) {
    write_file(folder / "cut.png", std::span(file).first(length));
    EXPECT_THROW(load_mask(folder / "cut.png"), Error) << length;
  }
  EXPECT_THROW(load_mask(folder / "missing.png"), Error);
  write_file(folder / "photo.png", encode(".png", quadrants()));
  EXPECT_THROW(load_mask(folder / "photo.png"), Error);
}

TEST(Overlay, LeavesTheBackgroundAndNamesWhatIsThere) {
  Image photo{60, 40, std::vector<std::uint8_t>(60 * 40 * 3, 100)};
  LabelMap labels{60, 40, std::vector<std::uint8_t>(60 * 40, 0)};
  for (int y = 10; y < 30; ++y)
    for (int x = 20; x < 40; ++x) labels.ids[static_cast<std::size_t>(y * 60 + x)] = 1;
  LabelSet set;
  set.classes = {{"background", {0, 0, 0}}, {"shoe", {255, 0, 0}}};
  const Image shown = overlay(photo.view(), labels, set);
  EXPECT_GT(shown.width, 60) << "no legend";
  EXPECT_EQ(pixel(shown, 2, 2), (std::array<int, 3>{100, 100, 100}));
  EXPECT_GT(pixel(shown, 30, 20)[0], 130);
  EXPECT_EQ(pixel(color_map(labels, set), 30, 20), (std::array<int, 3>{255, 0, 0}));
  EXPECT_EQ(count_pixels(labels)[1], 400);
}

}  // namespace
}  // namespace atrous
