// SPDX-License-Identifier: Apache-2.0
// What stands before and after the network, on every device and activation type.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "core/convert.h"
#include "support/backend_under_test.h"

namespace atrous {
namespace {

/// Memory of the device filled with values in one of its activation types.
struct OnDevice {
  OnDevice(const Backend& backend, Stream& stream, DType dtype, std::vector<float>& values)
      : memory(backend.allocate(values.size() * size_of(dtype))) {
    std::vector<std::byte> raw(values.size() * size_of(dtype));
    from_f32(values.data(), static_cast<std::int64_t>(values.size()), dtype, raw.data());
    to_f32(raw.data(), dtype, static_cast<std::int64_t>(values.size()), values.data());  // rounded
    stream.upload(memory->data(), raw.data(), raw.size());
  }
  std::unique_ptr<DeviceMemory> memory;
};

/// Bilinear by the definition, in double precision.
double reference(const std::vector<float>& logits, const LogitsView& view, double x, double y, int c) {
  const double cx = std::clamp(x, 0.0, static_cast<double>(view.width - 1)),
               cy = std::clamp(y, 0.0, static_cast<double>(view.height - 1));
  double sum = 0;
  for (int j = 0; j < view.height; ++j)
    for (int i = 0; i < view.width; ++i)
      sum += std::max(0.0, 1 - std::abs(cx - i)) * std::max(0.0, 1 - std::abs(cy - j)) *
             static_cast<double>(logits[static_cast<std::size_t>((j * view.width + i) * view.pitch + c)]);
  return sum;
}

/// None where there is no such device, which the operator cases say.
std::vector<DType> types_under_test() {
  const std::shared_ptr<const Backend> backend = test::backend_under_test().backend;
  if (!backend) return {};
  return {backend->activation_types().begin(), backend->activation_types().end()};
}

class Photo : public testing::TestWithParam<DType> {
 protected:
  std::shared_ptr<const Backend> backend_ = test::backend_under_test().backend;
  std::unique_ptr<Stream> stream_ = backend_->make_stream();
};

TEST_P(Photo, UpsamplingAgreesWithTheDefinition) {
  std::mt19937 random(4);
  const double tolerance =
      GetParam() == DType::f32 ? 1e-4 : 0.02;  // scores may cross the bus in half precision
  for (const bool mirrored : {false, true})
    for (const double offset : {0.0, -0.37}) {
      const PhotoSampling photo{37, 23, {0.22, offset}, {0.31, offset}, mirrored};
      LogitsView view{nullptr, 9, 7, 8, 5, GetParam()};
      std::vector<float> logits(static_cast<std::size_t>(view.width * view.height * view.pitch));
      for (float& value : logits) value = static_cast<float>(random() % 1000U) / 100.0F - 5;
      const OnDevice there(*backend_, *stream_, GetParam(), logits);
      view.data = there.memory->data();
      std::vector<float> scores(37 * 23 * 5), probabilities(scores.size());
      std::vector<std::uint8_t> labels(37 * 23);
      ASSERT_TRUE(stream_->upsample_scores(view, photo, false, scores.data()));
      ASSERT_TRUE(stream_->upsample_scores(view, photo, true, probabilities.data()));
      ASSERT_TRUE(stream_->upsample_labels(view, photo, labels.data()));
      for (int y = 0; y < 23; ++y)
        for (int x = 0; x < 37; ++x) {
          const std::size_t i = static_cast<std::size_t>(y * 37 + x) * 5;
          double want[5], sum = 0;
          for (int c = 0; c < 5; ++c) {
            want[c] = reference(logits, view, 0.22 * (mirrored ? 36 - x : x) + offset, 0.31 * y + offset, c);
            sum += std::exp(want[c]);
          }
          for (std::size_t c = 0; c < 5; ++c) {
            EXPECT_NEAR(scores[i + c], want[c], tolerance);
            EXPECT_NEAR(probabilities[i + c], std::exp(want[c]) / sum, tolerance / 10);
          }
          EXPECT_GE(want[labels[i / 5]], *std::max_element(want, want + 5) - 1e-4);
        }
    }
}

TEST_P(Photo, TheLowestIdWinsATie) {
  std::vector<float> logits(12, 1);
  const OnDevice there(*backend_, *stream_, GetParam(), logits);
  std::vector<std::uint8_t> labels(25, 9);
  ASSERT_TRUE(stream_->upsample_labels({there.memory->data(), 2, 2, 3, 3, GetParam()},
                                       {5, 5, {0.25, 0}, {0.25, 0}, false}, labels.data()));
  EXPECT_EQ(std::count(labels.begin(), labels.end(), 0), 25);
}

TEST_P(Photo, LogitsThatAreNotFiniteAreSeen) {
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    std::vector<float> logits(12, 1);
    logits[7] = bad;
    const OnDevice there(*backend_, *stream_, GetParam(), logits);
    const LogitsView view{there.memory->data(), 2, 2, 3, 3, GetParam()};
    const PhotoSampling photo{5, 5, {0.25, 0}, {0.25, 0}, false};
    std::vector<std::uint8_t> labels(25);
    std::vector<float> scores(75);
    EXPECT_FALSE(stream_->upsample_labels(view, photo, labels.data()));
    EXPECT_FALSE(stream_->upsample_scores(view, photo, true, scores.data()));
  }
}

TEST_P(Photo, NormalisingPadsMirrorsAndReadsRowsByStride) {
  std::vector<std::uint8_t> pixels(2 * 16, 255);
  for (int y = 0; y < 2; ++y)
    for (int i = 0; i < 9; ++i)
      pixels[static_cast<std::size_t>(16 * y + i)] = static_cast<std::uint8_t>(10 * (9 * y + i));
  PixelTable table;
  for (std::size_t c = 0; c < 3; ++c)
    for (std::size_t level = 0; level < 256; ++level)
      table.value[c][level] = static_cast<float>(level) / 128 - static_cast<float>(c);
  const TensorDesc input = TensorDesc::dense({1, 4, 5, 3}, GetParam());
  std::vector<float> values(60, -9);
  for (const bool bgr : {false, true})
    for (const bool flip : {false, true}) {
      table.bgr = bgr;
      std::fill(values.begin(), values.end(), -9.0F);
      const OnDevice there(*backend_, *stream_, GetParam(), values);
      stream_->normalise({pixels.data(), 3, 2, 16}, table, flip, input, there.memory->data());
      std::vector<std::byte> raw(60 * size_of(GetParam()));
      stream_->download(raw.data(), there.memory->data(), raw.size());
      std::vector<float> got(60);
      to_f32(raw.data(), GetParam(), 60, got.data());
      for (int y = 0; y < 4; ++y)
        for (int x = 0; x < 5; ++x)
          for (int c = 0; c < 3; ++c) {
            double want = 0;  // the mean
            if (x < 3 && y < 2) want = 10.0 * (9 * y + 3 * (flip ? 2 - x : x) + (bgr ? 2 - c : c)) / 128 - c;
            EXPECT_NEAR(got[static_cast<std::size_t>((y * 5 + x) * 3 + c)], want,
                        GetParam() == DType::f32 ? 1e-6 : 0.01);
          }
    }
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Photo);
INSTANTIATE_TEST_SUITE_P(Types, Photo, testing::ValuesIn(types_under_test()),
                         [](const auto& test) { return std::string(to_string(test.param)); });

}  // namespace
}  // namespace atrous
