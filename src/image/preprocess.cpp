// SPDX-License-Identifier: Apache-2.0
#include "image/preprocess.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "core/error.h"
#include "image/mat.h"

namespace atrous {
namespace {

int rounded(double value) { return static_cast<int>(std::clamp(std::round(value), 1.0, 1e8)); }

/// The smallest multiple * k + offset that is not below `size`.
int padded(int size, const InputSpec& input) {
  const int above = std::max(0, size - input.offset);
  return (above + input.multiple - 1) / input.multiple * input.multiple + input.offset;
}

/// Position on an axis of `logits` that a photo's pixel reads; the other numbers are Geometry's along the
/// axis.
AxisMap photo_to_logits(int photo, int scaled, int padded_size, std::int64_t logits, bool align_corners) {
  if (align_corners) {
    auto ratio = [](double from, double to) { return from > 1 ? (to - 1) / (from - 1) : 0.0; };
    return {ratio(photo, scaled) * ratio(padded_size, static_cast<double>(logits)), 0};
  }
  const double factor = static_cast<double>(scaled) / photo * static_cast<double>(logits) / padded_size;
  return {factor, 0.5 * factor - 0.5};
}

}  // namespace

Geometry plan_geometry(const InputSpec& input, int photo_width, int photo_height, double scale,
                       std::int64_t most_pixels) {
  const double w = photo_width, h = photo_height;
  double zoom = 1;
  if (input.policy == SizePolicy::short_side) zoom = input.height / std::min(w, h);
  if (input.policy == SizePolicy::long_side) zoom = input.height / std::max(w, h);
  if (input.policy == SizePolicy::fit) zoom = std::min(input.width / w, input.height / h);
  const bool stretch = input.policy == SizePolicy::stretch;
  Geometry g{photo_width,
             photo_height,
             rounded((stretch ? input.width : w * zoom) * scale),
             rounded((stretch ? input.height : h * zoom) * scale),
             0,
             0};
  const bool fixed = input.policy == SizePolicy::fit;
  g.width = padded(fixed ? std::max(g.scaled_width, rounded(input.width * scale)) : g.scaled_width, input);
  g.height =
      padded(fixed ? std::max(g.scaled_height, rounded(input.height * scale)) : g.scaled_height, input);
  if (std::int64_t{g.width} * g.height > most_pixels)
    fail(ErrorCode::invalid_argument, "a network input of {}x{} is too large", g.width, g.height);
  return g;
}

PhotoSampling sample_logits(const Geometry& g, std::int64_t logits_width, std::int64_t logits_height,
                            bool align_corners, bool mirrored) {
  return {g.photo_width, g.photo_height,
          photo_to_logits(g.photo_width, g.scaled_width, g.width, logits_width, align_corners),
          photo_to_logits(g.photo_height, g.scaled_height, g.height, logits_height, align_corners), mirrored};
}

ImageView scale_photo(const ImageView& photo, const Geometry& g, Image& memory) {
  if (g.scaled_width == photo.width && g.scaled_height == photo.height) return photo;
  memory.width = g.scaled_width, memory.height = g.scaled_height;
  memory.rgb.resize(std::size_t{3} * static_cast<std::size_t>(g.scaled_width) *
                    static_cast<std::size_t>(g.scaled_height));
  cv::Mat scaled(g.scaled_height, g.scaled_width, CV_8UC3, memory.rgb.data());
  const bool shrinks = 2 * g.scaled_width < photo.width || 2 * g.scaled_height < photo.height;
  cv::resize(borrow(photo), scaled, scaled.size(), 0, 0, shrinks ? cv::INTER_AREA : cv::INTER_LINEAR);
  return memory.view();
}

PixelTable pixel_table(const InputSpec& input) {
  PixelTable table;
  table.bgr = input.bgr;
  for (std::size_t c = 0; c < 3; ++c)
    for (std::size_t level = 0; level < 256; ++level)
      table.value[c][level] = (static_cast<float>(level) * input.scale - input.mean[c]) / input.std[c];
  return table;
}

}  // namespace atrous
