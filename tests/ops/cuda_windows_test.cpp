// SPDX-License-Identifier: Apache-2.0
// Kernels that no operator reaches as a whole: the two ends of a photo's pass, and a pyramid of several
// levels in one launch.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/half.h"
#include "kernels/photo.h"
#include "kernels/pool2d.h"

namespace atrous {
namespace {

constexpr DType kTypes[] = {DType::f32, DType::f16, DType::bf16};

/// Elements of one type on the device with guards of 64 bytes around them, all bytes 0xff at first.
class DeviceArray {
 public:
  DeviceArray(DType dtype, std::size_t count)
      : dtype_(dtype),
        count_(count),
        bytes_(count * size_of(dtype) + 2 * kGuard, 0xff),
        stream_(cuda::create_stream()),
        memory_(static_cast<std::uint8_t*>(cuda::allocate(bytes_.size()))) {
    cuda::copy_to_device(memory_, bytes_.data(), bytes_.size(), stream_);
    cuda::synchronise(stream_);
  }
  DeviceArray(DType dtype, const std::vector<float>& values) : DeviceArray(dtype, values.size()) {
    for (std::size_t i = 0; i < count_; ++i) write(i, values[i]);
    cuda::copy_to_device(memory_, bytes_.data(), bytes_.size(), stream_);
    cuda::synchronise(stream_);
  }
  ~DeviceArray() {
    cuda::release(memory_);
    cuda::destroy_stream(stream_);
  }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  cuda::StreamHandle stream() const { return stream_; }
  template <typename T = void>
  T* data(std::size_t element = 0) const {
    return reinterpret_cast<T*>(memory_ + kGuard + element * size_of(dtype_));
  }
  void download(const DeviceArray& after) {  // all work is on the stream of `after`
    cuda::synchronise(after.stream_);
    cuda::copy_to_host(bytes_.data(), memory_, bytes_.size(), stream_);
    cuda::synchronise(stream_);
    for (std::size_t i = 0; i < kGuard; ++i)
      ASSERT_TRUE(bytes_[i] == 0xff && bytes_[bytes_.size() - 1 - i] == 0xff) << "wrote outside its memory";
  }
  bool untouched(std::size_t i) const {
    const std::uint8_t* at = bytes_.data() + kGuard + i * size_of(dtype_);
    return std::all_of(at, at + size_of(dtype_), [](std::uint8_t byte) { return byte == 0xff; });
  }
  double operator[](std::size_t i) const {
    const std::uint8_t* at = bytes_.data() + kGuard + i * size_of(dtype_);
    if (dtype_ == DType::u8) return *at;
    std::uint32_t bits = 0;
    std::memcpy(&bits, at, size_of(dtype_));
    if (dtype_ == DType::i32) return static_cast<std::int32_t>(bits);
    if (dtype_ == DType::f16) return half_to_float(static_cast<std::uint16_t>(bits));
    if (dtype_ == DType::bf16) return bfloat16_to_float(static_cast<std::uint16_t>(bits));
    return std::bit_cast<float>(bits);
  }

 private:
  static constexpr std::size_t kGuard = 64;

  void write(std::size_t i, float value) {
    std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
    if (dtype_ == DType::f16) bits = float_to_half(value);
    if (dtype_ == DType::bf16) bits = float_to_bfloat16(value);
    if (dtype_ == DType::u8 || dtype_ == DType::i32) bits = static_cast<std::uint32_t>(value);
    std::memcpy(bytes_.data() + kGuard + i * size_of(dtype_), &bits, size_of(dtype_));
  }

  DType dtype_;
  std::size_t count_;
  std::vector<std::uint8_t> bytes_;
  cuda::StreamHandle stream_;
  std::uint8_t* memory_;
};

/// Half the distance between neighbours of the type, relative.
double rounding(DType dtype) {
  return dtype == DType::f16 ? 0x1p-11 : dtype == DType::bf16 ? 0x1p-8 : 0x1p-24;
}

TEST(CudaNormalise, EveryTypeFlipOrderAndPitch) {
  std::mt19937 random(5);
  PixelTable table;
  for (std::size_t c = 0; c < 3; ++c)
    for (std::size_t level = 0; level < 256; ++level)
      table.value[c][level] = static_cast<float>(level) / 64.0F - static_cast<float>(c);
  const int width = 13, height = 7, stride = 41;
  std::vector<float> bytes(static_cast<std::size_t>(stride * height));
  for (float& byte : bytes) byte = static_cast<float>(random() % 256U);
  const DeviceArray pixels(DType::u8, bytes);
  for (const DType dtype : kTypes)
    for (const int pitch : {3, 8})
      for (const int offset : {0, 1})  // elements, so that the image is aligned or not
        for (const bool flip : {false, true})
          for (const auto& [w, h] : {std::pair(13, 7), std::pair(20, 9), std::pair(16, 12)}) {
            table.bgr = flip == (w == 13);
            const TensorDesc input{{2, h, w, 3}, pitch, dtype};
            DeviceArray image(dtype, static_cast<std::size_t>(w * h * pitch + offset));
            cuda::normalise({pixels.data<std::uint8_t>(), width, height, stride}, table, flip, input,
                            image.data(static_cast<std::size_t>(offset)), image.stream());
            image.download(image);
            for (int y = 0; y < h; ++y)
              for (int x = 0; x < w; ++x)
                for (int c = 0; c < pitch; ++c) {
                  const auto at = static_cast<std::size_t>((y * w + x) * pitch + c + offset);
                  if (c >= 3) {
                    ASSERT_TRUE(image.untouched(at)) << "wrote into a gap";
                    continue;
                  }
                  double wanted = 0;
                  if (x < width && y < height) {
                    const int from = y * stride + 3 * (flip ? width - 1 - x : x) + (table.bgr ? 2 - c : c);
                    wanted = bytes[static_cast<std::size_t>(from)] / 64.0 - c;
                  }
                  ASSERT_NEAR(image[at], wanted, std::abs(wanted) * rounding(dtype))
                      << to_string(dtype) << " pitch " << pitch << " x " << x << " y " << y << " c " << c;
                }
          }
}

/// Logits of a network's output with a gap after the classes, and their upsampling by the definition.
struct Logits {
  Logits(DType dtype, int w, int h, int classes, bool integers, unsigned seed)
      : pitch(classes + 3), device(dtype, random(w, h, classes, pitch, integers, seed)) {
    device.download(device);
    view = {device.data(), w, h, pitch, classes, dtype};
  }

  static std::vector<float> random(int w, int h, int classes, int pitch, bool integers, unsigned seed) {
    std::mt19937 generator(seed);
    std::uniform_real_distribution<float> distribution(-3, 3);
    std::vector<float> values(static_cast<std::size_t>(w * h * pitch),
                              std::numeric_limits<float>::quiet_NaN());
    for (int i = 0; i < w * h; ++i)
      for (int c = 0; c < classes; ++c) {
        const float value = distribution(generator);
        values[static_cast<std::size_t>(i * pitch + c)] = integers ? std::round(value) : value;
      }
    return values;
  }

  double at(double x, double y, int c) const {
    x = std::clamp(x, 0.0, static_cast<double>(view.width - 1));
    y = std::clamp(y, 0.0, static_cast<double>(view.height - 1));
    const auto x0 = static_cast<std::int64_t>(x), y0 = static_cast<std::int64_t>(y);
    double sum = 0;
    for (std::int64_t j = y0; j <= std::min(y0 + 1, view.height - 1); ++j)
      for (std::int64_t i = x0; i <= std::min(x0 + 1, view.width - 1); ++i)
        sum += (1 - std::abs(x - static_cast<double>(i))) * (1 - std::abs(y - static_cast<double>(j))) *
               device[static_cast<std::size_t>((j * view.width + i) * pitch + c)];
    return sum;
  }

  /// Scores of the photo's pixel.
  std::vector<double> scores(const PhotoSampling& photo, int x, int y) const {
    const int column = photo.mirrored ? photo.width - 1 - x : x;
    std::vector<double> result;
    for (int c = 0; c < view.classes; ++c)
      result.push_back(at(photo.columns.factor * column + photo.columns.offset,
                          photo.rows.factor * y + photo.rows.offset, c));
    return result;
  }

  int pitch;
  DeviceArray device;
  LogitsView view;
};

/// Photos above and below the size of logits [7, 9], one wider than a block, and one that reads far apart
/// columns.
std::vector<PhotoSampling> photos() {
  return {{37, 23, {9.0 / 37, 4.5 / 37 - 0.5}, {7.0 / 23, 3.5 / 23 - 0.5}, false},
          {300, 3, {9.0 / 300, 4.5 / 300 - 0.5}, {7.0 / 3, 3.5 / 3 - 0.5}, true},
          {37, 23, {8.0 / 36, 0}, {6.0 / 22, 0}, true},
          {1, 1, {9, 4}, {7, 3}, false},
          {5, 4, {9.0 / 5, 4.5 / 5 - 0.5}, {7.0 / 4, 3.5 / 4 - 0.5}, false}};
}

TEST(CudaUpsample, LabelsAreTheBestClass) {
  for (const DType dtype : kTypes)
    for (const int classes : {1, 7, 21, 256})
      for (const PhotoSampling& photo : photos()) {
        const Logits logits(dtype, 9, 7, classes, false, 3);
        DeviceArray labels(DType::u8, static_cast<std::size_t>(photo.width * photo.height));
        DeviceArray flag(DType::i32, std::vector<float>{0});
        cuda::upsample_labels(logits.view, photo, labels.data<std::uint8_t>(), flag.data<int>(),
                              labels.stream());
        labels.download(labels);
        flag.download(labels);
        ASSERT_EQ(flag[0], 0);
        for (int y = 0; y < photo.height; ++y)
          for (int x = 0; x < photo.width; ++x) {
            const std::vector<double> scores = logits.scores(photo, x, y);
            const auto label =
                static_cast<std::size_t>(labels[static_cast<std::size_t>(y * photo.width + x)]);
            ASSERT_LT(label, scores.size());
            ASSERT_GE(scores[label], *std::max_element(scores.begin(), scores.end()) - 1e-5)
                << to_string(dtype) << ", " << classes << " classes, pixel " << x << ", " << y;
          }
      }
}

TEST(CudaUpsample, LowestIdWinsATie) {
  const PhotoSampling photo{
      36, 28, {0.25, -0.375}, {0.25, -0.375}, false};  // weights are multiples of 1/8: no rounding
  const Logits logits(DType::f32, 9, 7, 5, true, 8);
  DeviceArray labels(DType::u8, 36 * 28), flag(DType::i32, std::vector<float>{0});
  cuda::upsample_labels(logits.view, photo, labels.data<std::uint8_t>(), flag.data<int>(), labels.stream());
  labels.download(labels);
  for (int y = 0; y < 28; ++y)
    for (int x = 0; x < 36; ++x) {
      const std::vector<double> scores = logits.scores(photo, x, y);
      ASSERT_EQ(labels[static_cast<std::size_t>(y * 36 + x)],
                std::max_element(scores.begin(), scores.end()) - scores.begin())
          << x << ", " << y;
    }
}

void expect_scores(const Logits& logits, const PhotoSampling& photo, bool softmax, DType dtype) {
  const int classes = logits.view.classes;
  DeviceArray out(dtype, static_cast<std::size_t>(photo.width * photo.height * classes));
  DeviceArray flag(DType::i32, std::vector<float>{0});
  cuda::upsample_scores(logits.view, photo, softmax, dtype, out.data(), flag.data<int>(), out.stream());
  out.download(out);
  flag.download(out);
  ASSERT_EQ(flag[0], 0);
  for (int y = 0; y < photo.height; ++y)
    for (int x = 0; x < photo.width; ++x) {
      std::vector<double> wanted = logits.scores(photo, x, y);
      if (softmax) {
        const double largest = *std::max_element(wanted.begin(), wanted.end());
        double sum = 0;
        for (double& v : wanted) sum += v = std::exp(v - largest);
        for (double& v : wanted) v /= sum;
      }
      for (int c = 0; c < classes; ++c) {
        const double w = wanted[static_cast<std::size_t>(c)];
        ASSERT_NEAR(out[static_cast<std::size_t>((y * photo.width + x) * classes + c)], w,
                    5e-6 + std::abs(w) * rounding(dtype))
            << classes << " classes, pixel " << x << ", " << y << ", class " << c;
      }
    }
}

TEST(CudaUpsample, ScoresAreTheDefinition) {
  for (const DType in : kTypes)
    for (const int classes : {1, 7, 21})
      for (const PhotoSampling& photo : photos()) {
        const Logits logits(in, 9, 7, classes, false, 4);
        for (const bool softmax : {false, true})
          for (const DType dtype : {DType::f32, DType::f16}) expect_scores(logits, photo, softmax, dtype);
      }
}

/// 700 columns of 40 classes do not fit a line of shared memory, 20,000 not even for two classes.
TEST(CudaUpsample, LinesLongerThanSharedMemory) {
  for (const int width : {700, 20000}) {
    const Logits logits(DType::f32, width, 2, width == 700 ? 40 : 3, false, 6);
    const double factor = width / 50.0;
    const PhotoSampling photo{50, 2, {factor, 0.5 * factor - 0.5}, {1, 0}, false};
    for (const bool softmax : {false, true}) expect_scores(logits, photo, softmax, DType::f32);
    DeviceArray labels(DType::u8, 100), flag(DType::i32, std::vector<float>{0});
    cuda::upsample_labels(logits.view, photo, labels.data<std::uint8_t>(), flag.data<int>(), labels.stream());
    labels.download(labels);
    for (int x = 0; x < 50; ++x) {
      const std::vector<double> scores = logits.scores(photo, x, 1);
      ASSERT_GE(scores[static_cast<std::size_t>(labels[static_cast<std::size_t>(50 + x)])],
                *std::max_element(scores.begin(), scores.end()) - 1e-5);
    }
  }
}

/// One bad logit anywhere, also where no pixel of the photo reads, is reported; gaps between pixels are not
/// looked at.
TEST(CudaUpsample, ReportsLogitsThatAreNotFinite) {
  const PhotoSampling photo{4, 3, {0.5, 0}, {0.5, 0}, false};  // reads the top left corner only
  for (const DType dtype : kTypes)
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()})
      for (const std::size_t where : {0, 4, 9 * 7 - 1}) {
        std::vector<float> values = Logits::random(9, 7, 5, 8, false, 2);
        values[where * 8 + 4] = bad;
        const DeviceArray logits(dtype, values);
        const LogitsView view{logits.data(), 9, 7, 8, 5, dtype};
        DeviceArray labels(DType::u8, 12), scores(DType::f32, 60);
        DeviceArray of_labels(DType::i32, std::vector<float>{0}),
            of_scores(DType::i32, std::vector<float>{0});
        cuda::upsample_labels(view, photo, labels.data<std::uint8_t>(), of_labels.data<int>(),
                              labels.stream());
        cuda::upsample_scores(view, photo, true, DType::f32, scores.data(), of_scores.data<int>(),
                              scores.stream());
        of_labels.download(labels);
        of_scores.download(scores);
        EXPECT_EQ(of_labels[0], 1) << bad << " at pixel " << where;
        EXPECT_EQ(of_scores[0], 1) << bad << " at pixel " << where;
      }
}

/// The levels of a pyramid side by side in one tensor, each in its slice of the channels.
TEST(CudaPoolBins, FourLevelsInOneLaunch) {
  constexpr int kBins[][2] = {{1, 1}, {2, 2}, {3, 3}, {6, 5}};
  std::mt19937 random(9);
  for (const DType dtype : kTypes)
    for (const auto kind : {PoolKind::max, PoolKind::average})
      for (const int channels : {16, 5})
        for (const auto& [h, w] : {std::pair(11, 13), std::pair(47, 61)}) {
          const int n = 2, pitch = channels + 8;
          std::vector<float> values(static_cast<std::size_t>(n * h * w * pitch));
          for (float& value : values) value = static_cast<float>(random() % 9U) - 4;  // exact in every type
          const DeviceArray in(dtype, values);
          std::vector<std::unique_ptr<DeviceArray>> out;
          std::vector<cuda::BinLevel> levels;
          for (const auto& [bh, bw] : kBins) {
            out.push_back(
                std::make_unique<DeviceArray>(dtype, static_cast<std::size_t>(n * bh * bw * (channels + 3))));
            levels.push_back({bh, bw, channels + 3, out.back()->data()});
          }
          const TensorDesc desc{{n, h, w, channels}, pitch, dtype};
          ASSERT_EQ(cuda::refuse_pool_bins(desc, levels), "");
          const std::size_t workspace_bytes = cuda::pool_bins_workspace(desc, levels);
          EXPECT_EQ(workspace_bytes > 0, h == 47) << "large bins are cut into slices";
          const DeviceArray workspace(DType::u8, workspace_bytes);
          cuda::pool_bins(kind, desc, in.data(), levels, workspace.data(), out[0]->stream());
          for (std::size_t l = 0; l < levels.size(); ++l) {
            out[l]->download(*out[0]);
            const auto [bh, bw] = kBins[l];
            for (int i = 0; i < n * bh * bw * (channels + 3); ++i) {
              const int c = i % (channels + 3), bin = i / (channels + 3) % (bh * bw),
                        image = i / (channels + 3) / (bh * bw);
              if (c >= channels) {
                ASSERT_TRUE(out[l]->untouched(static_cast<std::size_t>(i)));
                continue;
              }
              const int top = bin / bw * h / bh, bottom = ((bin / bw + 1) * h + bh - 1) / bh;
              const int left = bin % bw * w / bw, right = ((bin % bw + 1) * w + bw - 1) / bw;
              double best = -100, sum = 0;
              for (int y = top; y < bottom; ++y)
                for (int x = left; x < right; ++x) {
                  const double value =
                      values[static_cast<std::size_t>(((image * h + y) * w + x) * pitch + c)];
                  best = std::max(best, value), sum += value;
                }
              const double wanted = kind == PoolKind::max ? best : sum / ((bottom - top) * (right - left));
              ASSERT_NEAR((*out[l])[static_cast<std::size_t>(i)], wanted,
                          1e-6 + std::abs(wanted) * rounding(dtype))
                  << to_string(dtype) << " level " << l << " bin " << bin << " channel " << c;
            }
          }
        }
}

TEST(CudaPoolBins, RefusesMoreLevelsThanItTakes) {
  const std::vector<cuda::BinLevel> five(5);
  EXPECT_NE(cuda::refuse_pool_bins(TensorDesc::dense({1, 8, 8, 8}), five), "");
  EXPECT_NE(cuda::refuse_pool_bins(TensorDesc::dense({1, 8, 8, 8}), {}), "");
}

}  // namespace
}  // namespace atrous
