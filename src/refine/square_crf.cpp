// SPDX-License-Identifier: Apache-2.0
#include "refine/square_crf.h"

#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "core/resample.h"
#include "core/softmax.h"
#include "core/stopwatch.h"

namespace atrous {
namespace {

constexpr int kSide = 2;

/// f(x, y, first pixel's x and y, and the ends) for each square of a row of them.
template <typename F>
void each_square(int width, int height, std::int64_t y, const F& f) {
  const int top = static_cast<int>(y) * kSide, bottom = std::min(top + kSide, height);
  for (int x = 0; x * kSide < width; ++x) f(x, x * kSide, top, std::min((x + 1) * kSide, width), bottom);
}

Image mean_colours(const ImageView& image, int width, int height) {
  Image result{width, height,
               std::vector<std::uint8_t>(std::size_t{3} * static_cast<std::size_t>(width * height))};
  parallel_for(height, [&](std::int64_t y) {
    each_square(image.width, image.height, y, [&](int x, int left, int top, int right, int bottom) {
      const int count = (right - left) * (bottom - top);
      for (int c = 0; c < 3; ++c) {
        int sum = count / 2;
        for (int v = top; v < bottom; ++v)
          for (int u = left; u < right; ++u) sum += image.row(v)[3 * u + c];
        result.rgb[static_cast<std::size_t>(3 * (y * width + x) + c)] =
            static_cast<std::uint8_t>(sum / count);
      }
    });
  });
  return result;
}

ScoreMap mean_scores(const ScoreMap& scores, int width, int height) {
  ScoreMap result{width, height, scores.classes, {}};
  result.values.resize(result.pixels() * static_cast<std::size_t>(scores.classes));
  parallel_for(height, [&](std::int64_t y) {
    each_square(scores.width, scores.height, y, [&](int x, int left, int top, int right, int bottom) {
      float* to = result.pixel(static_cast<std::size_t>(y * width + x));
      for (int v = top; v < bottom; ++v)
        for (int u = left; u < right; ++u) {
          const float* from = scores.pixel(static_cast<std::size_t>(std::int64_t{v} * scores.width + u));
          for (int c = 0; c < scores.classes; ++c) to[c] += from[c];
        }
      const float share = 1 / static_cast<float>((right - left) * (bottom - top));
      for (int c = 0; c < scores.classes; ++c) to[c] *= share;
    });
  });
  return result;
}

/// The same kernels between squares, which each stand for several pixels where kernels are not normalised.
CrfParams for_squares(CrfParams params) {
  params.on = CrfNodes::pixels;
  const float pixels = params.normalization == Normalization::none ? kSide * kSide : 1;
  for (GaussianTerm& term : params.gaussian) term.sxy /= kSide, term.weight *= pixels;
  for (BilateralTerm& term : params.bilateral) term.sxy /= kSide, term.weight *= pixels;
  return params;
}

/// A row of pixels: to <- softmax(messages - energy)
ATROUS_VECTORISE void meet_row(const float* above, const float* below, float down,
                               const LinearSample* columns, int width, int classes, const float* energy,
                               float* to) {
  for (int x = 0; x < width; ++x, energy += classes, to += classes) {
    const float right = columns[x].weight;
    const std::int64_t low = columns[x].low * classes, high = columns[x].high * classes;
    for (int c = 0; c < classes; ++c) {
      const float over = above[low + c] + (above[high + c] - above[low + c]) * right;
      const float under = below[low + c] + (below[high + c] - below[low + c]) * right;
      to[c] = over + (under - over) * down - energy[c];
    }
    softmax(to, to, classes);
  }
}

}  // namespace

ScoreMap square_crf(const ScoreMap& unary, const ImageView& image, const CrfParams& params, CrfTimes& times) {
  Stopwatch watch;
  const int width = (image.width + kSide - 1) / kSide, height = (image.height + kSide - 1) / kSide;
  const Image colours = mean_colours(image, width, height);
  const ScoreMap energies = mean_scores(unary, width, height);
  const double means = watch.lap();
  ScoreMap messages = dense_crf(energies, colours.view(), for_squares(params), &times);
  times.build += means;
  watch.lap();
  constexpr float kLeast = 1e-7F;  // about what half precision holds
  parallel_blocks(std::ssize(messages.values), [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i)
      messages.values[i] = std::log(std::max(messages.values[i], kLeast)) + energies.values[i];
  });
  std::vector<LinearSample> columns;
  for (int x = 0; x < unary.width; ++x) columns.push_back(linear_sample((x + 0.5) / kSide - 0.5, width));
  ScoreMap result{unary.width, unary.height, unary.classes, {}};
  result.values.resize(unary.values.size());
  parallel_for(unary.height, [&](std::int64_t y) {
    const LinearSample row = linear_sample((static_cast<double>(y) + 0.5) / kSide - 0.5, height);
    const auto first = static_cast<std::size_t>(y * unary.width);
    meet_row(messages.pixel(static_cast<std::size_t>(row.low * width)),
             messages.pixel(static_cast<std::size_t>(row.high * width)), row.weight, columns.data(),
             unary.width, unary.classes, unary.pixel(first), result.pixel(first));
  });
  times.update += watch.lap();
  return result;
}

}  // namespace atrous
