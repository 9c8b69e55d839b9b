// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/photo.h"

#include <algorithm>
#include <cmath>

#include "backend/cpu/blend.h"
#include "core/parallel.h"
#include "core/softmax.h"

namespace atrous {
namespace {

std::vector<LinearSample> samples(const AxisMap& map, int photo, std::int64_t logits, bool mirrored) {
  std::vector<LinearSample> result;
  for (int i = 0; i < photo; ++i) {
    const int at = mirrored ? photo - 1 - i : i;
    result.push_back(linear_sample(map.factor * (at + map.first) + map.offset - map.origin, logits));
  }
  return result;
}

bool all_finite(const LogitsView& logits) {
  const auto* values = static_cast<const float*>(logits.data);
  for (std::int64_t i = 0; i < logits.width * logits.height; ++i)
    for (int c = 0; c < logits.classes; ++c)
      if (!std::isfinite(values[i * logits.pitch + c])) return false;
  return true;
}

/// Calls use(pixel, its scores) for every pixel of the photo, rows in parallel.
template <typename Use>
void for_each_pixel(const LogitsView& logits, const PhotoSampling& photo, const Use& use) {
  const std::vector<LinearSample> columns = samples(photo.columns, photo.width, logits.width, photo.mirrored);
  const std::vector<LinearSample> rows = samples(photo.rows, photo.height, logits.height, false);
  const auto* values = static_cast<const float*>(logits.data);
  const std::int64_t classes = logits.classes;
  parallel_for(photo.height, [&](std::int64_t y) {
    const LinearSample& row = rows[static_cast<std::size_t>(y)];
    std::vector<float> line(static_cast<std::size_t>(logits.width * classes)),
        pixel(static_cast<std::size_t>(classes));
    for (std::int64_t x = 0; x < logits.width; ++x)
      blend(values + (row.low * logits.width + x) * logits.pitch,
            values + (row.high * logits.width + x) * logits.pitch, row.weight, line.data() + x * classes,
            classes);
    for (int x = 0; x < photo.width; ++x) {
      const LinearSample& column = columns[static_cast<std::size_t>(x)];
      blend(line.data() + column.low * classes, line.data() + column.high * classes, column.weight,
            pixel.data(), classes);
      use(y * photo.width + x, pixel.data());
    }
  });
}

}  // namespace

void normalise_pixels(const ImageView& scaled, const PixelTable& table, bool flip, const Shape& input,
                      float* image) {
  parallel_for(input.h, [&](std::int64_t y) {
    float* row = image + y * input.w * 3;
    std::fill_n(row, 3 * input.w, 0.0F);
    if (y >= scaled.height) return;
    const std::uint8_t* pixels = scaled.row(static_cast<int>(y));
    for (int x = 0; x < scaled.width; ++x) {
      const std::uint8_t* pixel = pixels + 3 * (flip ? scaled.width - 1 - x : x);
      for (std::size_t c = 0; c < 3; ++c)
        row[3 * x + static_cast<int>(c)] = table.value[c][pixel[table.bgr ? 2 - c : c]];
    }
  });
}

bool upsample_labels(const LogitsView& logits, const PhotoSampling& photo, std::uint8_t* labels) {
  if (!all_finite(logits)) return false;
  for_each_pixel(logits, photo, [&](std::int64_t i, const float* pixel) {
    labels[i] = static_cast<std::uint8_t>(std::max_element(pixel, pixel + logits.classes) - pixel);
  });
  return true;
}

bool upsample_scores(const LogitsView& logits, const PhotoSampling& photo, bool as_probabilities,
                     float* scores) {
  if (!all_finite(logits)) return false;
  for_each_pixel(logits, photo, [&](std::int64_t i, const float* pixel) {
    float* to = scores + i * logits.classes;
    if (as_probabilities)
      softmax(pixel, to, logits.classes);
    else
      std::copy_n(pixel, logits.classes, to);
  });
  return true;
}

}  // namespace atrous
