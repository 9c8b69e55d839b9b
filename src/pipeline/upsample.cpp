// SPDX-License-Identifier: Apache-2.0
#include "pipeline/upsample.h"

#include <algorithm>

#include "core/parallel.h"
#include "core/resample.h"

namespace atrous {
namespace {

std::vector<LinearSample> samples(AxisMap map, int photo, std::int64_t logits, bool mirrored) {
  std::vector<LinearSample> result;
  for (int i = 0; i < photo; ++i) {
    const int at = mirrored ? photo - 1 - i : i;
    result.push_back(linear_sample(map.factor * at + map.offset, logits));
  }
  return result;
}

ATROUS_VECTORISE void blend(const float* a, const float* b, float t, float* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = a[i] + (b[i] - a[i]) * t;
}

/// Calls use(y, pixel scores, x) for every pixel of the photo, rows in parallel.
template <typename Use>
void for_each_pixel(const LogitsView& logits, const Geometry& g, bool align_corners, const Use& use) {
  const auto width = static_cast<int>(logits.width), height = static_cast<int>(logits.height);
  const std::vector<LinearSample> columns =
      samples(photo_to_logits(g.photo_width, g.scaled_width, g.width, width, align_corners), g.photo_width,
              logits.width, logits.mirrored);
  const std::vector<LinearSample> rows =
      samples(photo_to_logits(g.photo_height, g.scaled_height, g.height, height, align_corners),
              g.photo_height, logits.height, false);
  const std::int64_t classes = logits.classes;
  parallel_for(g.photo_height, [&](std::int64_t y) {
    const LinearSample& row = rows[static_cast<std::size_t>(y)];
    std::vector<float> line(static_cast<std::size_t>(logits.width * classes)),
        pixel(static_cast<std::size_t>(classes));
    for (std::int64_t x = 0; x < logits.width; ++x)
      blend(logits.data + (row.low * logits.width + x) * logits.pitch,
            logits.data + (row.high * logits.width + x) * logits.pitch, row.weight, line.data() + x * classes,
            classes);
    for (int x = 0; x < g.photo_width; ++x) {
      const LinearSample& column = columns[static_cast<std::size_t>(x)];
      blend(line.data() + column.low * classes, line.data() + column.high * classes, column.weight,
            pixel.data(), classes);
      use(y * g.photo_width + x, pixel.data());
    }
  });
}

}  // namespace

ScoreMap upsample(const LogitsView& logits, const Geometry& g, bool align_corners) {
  ScoreMap scores{g.photo_width, g.photo_height, logits.classes, {}};
  scores.values.resize(scores.pixels() * static_cast<std::size_t>(logits.classes));
  for_each_pixel(logits, g, align_corners, [&](std::int64_t i, const float* pixel) {
    std::copy_n(pixel, logits.classes, scores.pixel(static_cast<std::size_t>(i)));
  });
  return scores;
}

LabelMap upsample_argmax(const LogitsView& logits, const Geometry& g, bool align_corners) {
  LabelMap labels{g.photo_width, g.photo_height, {}};
  labels.ids.resize(static_cast<std::size_t>(g.photo_width) * static_cast<std::size_t>(g.photo_height));
  for_each_pixel(logits, g, align_corners, [&](std::int64_t i, const float* pixel) {
    labels.ids[static_cast<std::size_t>(i)] =
        static_cast<std::uint8_t>(std::max_element(pixel, pixel + logits.classes) - pixel);
  });
  return labels;
}

}  // namespace atrous
