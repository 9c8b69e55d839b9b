// SPDX-License-Identifier: Apache-2.0
#include "image/preprocess.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "core/error.h"
#include "core/parallel.h"

namespace atrous {
namespace {

int rounded(double value) { return static_cast<int>(std::clamp(std::round(value), 1.0, 1e8)); }

/// The smallest multiple * k + offset that is not below `size`.
int padded(int size, const InputSpec& input) {
  const int above = std::max(0, size - input.offset);
  return (above + input.multiple - 1) / input.multiple * input.multiple + input.offset;
}

}  // namespace

Geometry plan_geometry(const InputSpec& input, int photo_width, int photo_height, double scale) {
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
  if (std::int64_t{g.width} * g.height > (std::int64_t{1} << 28))
    fail(ErrorCode::invalid_argument, "a network input of {}x{} is too large", g.width, g.height);
  return g;
}

AxisMap photo_to_logits(int photo, int scaled, int padded_size, int logits, bool align_corners) {
  if (align_corners) {
    auto ratio = [](int from, int to) { return from > 1 ? (to - 1.0) / (from - 1.0) : 0.0; };
    return {ratio(photo, scaled) * ratio(padded_size, logits), 0};
  }
  const double factor = static_cast<double>(scaled) / photo * logits / padded_size;
  return {factor, 0.5 * factor - 0.5};
}

void preprocess(const ImageView& photo, const InputSpec& input, const Geometry& g, bool flip, float* out) {
  const cv::Mat source(photo.height, photo.width, CV_8UC3, const_cast<std::uint8_t*>(photo.data),
                       static_cast<std::size_t>(photo.stride));
  cv::Mat scaled = source;
  if (g.scaled_width != photo.width || g.scaled_height != photo.height) {
    const bool shrinks = 2 * g.scaled_width < photo.width || 2 * g.scaled_height < photo.height;
    cv::resize(source, scaled, {g.scaled_width, g.scaled_height}, 0, 0,
               shrinks ? cv::INTER_AREA : cv::INTER_LINEAR);
  }
  std::array<std::array<float, 256>, 3> value{};  // of each 8-bit level, by output channel
  for (std::size_t c = 0; c < 3; ++c)
    for (std::size_t level = 0; level < 256; ++level)
      value[c][level] = (static_cast<float>(level) * input.scale - input.mean[c]) / input.std[c];
  parallel_for(g.height, [&](std::int64_t y) {
    float* row = out + y * g.width * 3;
    std::fill_n(row, std::ptrdiff_t{3} * g.width, 0.0F);
    if (y >= g.scaled_height) return;
    const std::uint8_t* pixels = scaled.ptr<std::uint8_t>(static_cast<int>(y));
    for (int x = 0; x < g.scaled_width; ++x) {
      const std::uint8_t* pixel = pixels + 3 * (flip ? g.scaled_width - 1 - x : x);
      for (std::size_t c = 0; c < 3; ++c)
        row[3 * x + static_cast<int>(c)] = value[c][pixel[input.bgr ? 2 - c : c]];
    }
  });
}

}  // namespace atrous
