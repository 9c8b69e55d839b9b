// SPDX-License-Identifier: Apache-2.0
#include "refine/dense_crf.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/cancellation.h"
#include "core/error.h"
#include "core/outside.h"
#include "core/parallel.h"
#include "core/softmax.h"
#include "core/stopwatch.h"
#include "refine/mean_field.h"
#include "refine/superpixel_crf.h"

namespace atrous {
namespace {

/// The pixels' indices, tile after tile, so that pixels near each other in both directions follow each other.
std::vector<std::int32_t> tile_order(int width, int height) {
  constexpr int kTile = 32;
  std::vector<std::int32_t> order;
  order.reserve(static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
  for (int top = 0; top < height; top += kTile)
    for (int left = 0; left < width; left += kTile)
      for (int y = top; y < std::min(top + kTile, height); ++y)
        for (int x = left; x < std::min(left + kTile, width); ++x) order.push_back(y * width + x);
  return order;
}

/// Points of the pixels in feature space: (x, y) / sxy, and where `srgb` is not 0 (r, g, b) / srgb.
LargeVector<float> pixel_features(const ImageView& image, const std::vector<std::int32_t>& order, float sxy,
                                  float srgb) {
  const std::int64_t dimensions = srgb != 0 ? 5 : 2;
  LargeVector<float> features(order.size() * static_cast<std::size_t>(dimensions));
  parallel_blocks(static_cast<std::int64_t>(order.size()), [&](std::int64_t begin, std::int64_t end) {
    float* to = features.data() + begin * dimensions;
    for (std::int64_t i = begin; i < end; ++i) {
      const int pixel = order[static_cast<std::size_t>(i)], x = pixel % image.width, y = pixel / image.width;
      *to++ = static_cast<float>(x) / sxy;
      *to++ = static_cast<float>(y) / sxy;
      for (int c = 0; c < 3 && srgb != 0; ++c) *to++ = static_cast<float>(image.row(y)[3 * x + c]) / srgb;
    }
  });
  return features;
}

LatticeFilter make_filter(const LargeVector<float>& features, int dimensions, float weight,
                          Normalization normalization, int classes) {
  Permutohedral lattice(features, dimensions);
  std::vector<float> norm;
  if (normalization != Normalization::none) norm = lattice.filter_ones();
  for (float& n : norm)
    n = 1 / (normalization == Normalization::symmetric ? std::sqrt(n + 1e-20F) : n + 1e-20F);
  const std::span<const float> none;
  return {std::move(lattice), normalization != Normalization::after ? norm : none,
          normalization != Normalization::before ? norm : none, weight, classes};
}

std::vector<LatticeFilter> make_filters(const ImageView& image, const std::vector<std::int32_t>& order,
                                        const CrfParams& params, int classes) {
  std::vector<LatticeFilter> filters;
  for (const GaussianTerm& g : params.gaussian)
    if (g.weight > 0)
      filters.push_back(
          make_filter(pixel_features(image, order, g.sxy, 0), 2, g.weight, params.normalization, classes));
  for (const BilateralTerm& b : params.bilateral)
    if (b.weight > 0)
      filters.push_back(make_filter(pixel_features(image, order, b.sxy, b.srgb), 5, b.weight,
                                    params.normalization, classes));
  return filters;
}

void check(const ScoreMap& unary, const ImageView& image, const CrfParams& params) {
  if (unary.width != image.width || unary.height != image.height)
    fail(ErrorCode::invalid_argument, "crf: the scores are {}x{} but the image is {}x{}", unary.width,
         unary.height, image.width, image.height);
  if (unary.classes < 1 || unary.classes > kMostLabels)
    fail(ErrorCode::invalid_argument, "crf: {} classes, at most {} can be refined", unary.classes,
         kMostLabels);
  const auto classes = static_cast<std::size_t>(unary.classes);
  if (!params.compatibility.empty() && params.compatibility.size() != classes * classes)
    fail(ErrorCode::invalid_argument, "crf: {} classes need {} compatibilities, not {}", classes,
         classes * classes, params.compatibility.size());
  if (find_outside(unary.values, std::numeric_limits<float>::max()))
    fail(ErrorCode::invalid_argument, "crf: a unary energy is not finite");
}

/// Superpixels of about kPixelsANode pixels, at most kMostNodes: their kernels are computed for every two.
Superpixels make_nodes(const ImageView& image) {
  constexpr std::int64_t kPixelsANode = 300, kMostNodes = 2000;
  const std::int64_t pixels = std::int64_t{image.width} * image.height;
  return slic(image, {static_cast<int>(std::clamp<std::int64_t>(pixels / kPixelsANode, 1, kMostNodes))});
}

}  // namespace

ScoreMap dense_crf(const ScoreMap& unary, const ImageView& image, const CrfParams& params, CrfTimes* times) {
  check(unary, image, params);
  check_cancelled();
  if (params.iterations == 0) return softmax_of(unary, -1);
  CrfTimes ignored;
  CrfTimes& took = times != nullptr ? *times : ignored;
  Stopwatch watch;
  if (params.on == CrfNodes::superpixels) {
    const Superpixels nodes = make_nodes(image);
    took = {watch.lap(), 0, 0};
    return superpixel_crf(unary, image, params, nodes, took);
  }
  const std::vector<std::int32_t> order = tile_order(image.width, image.height);
  std::vector<LatticeFilter> filters = make_filters(image, order, params, unary.classes);
  took.build = watch.lap();
  if (filters.empty()) return softmax_of(unary, -1);
  MeanField mean_field(energy_rows(unary, order), static_cast<std::int64_t>(order.size()), unary.classes,
                       params);
  took.update = watch.lap();
  took.filter = 0;
  for (int iteration = 0; iteration < params.iterations; ++iteration) {
    check_cancelled();
    mean_field.filter(filters);
    took.filter += watch.lap();
    mean_field.update(filters);
    took.update += watch.lap();
  }
  ScoreMap result = mean_field.to_map(order, unary.width, unary.height);
  took.update += watch.lap();
  return result;
}

ScoreMap unary_from_probabilities(ScoreMap probabilities) {
  for (float& value : probabilities.values) value = -std::log(std::max(value, 1e-5F));
  return probabilities;
}

ScoreMap unary_from_logits(ScoreMap logits) {
  return unary_from_probabilities(softmax_of(std::move(logits), 1));
}

ScoreMap softmax_of(ScoreMap scores, float sign) {
  parallel_blocks(static_cast<std::int64_t>(scores.pixels()), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      float* pixel = scores.pixel(static_cast<std::size_t>(i));
      for (int c = 0; c < scores.classes; ++c) pixel[c] *= sign;
      softmax(pixel, pixel, scores.classes);
    }
  });
  return scores;
}

LabelMap argmax(const ScoreMap& scores) {
  LabelMap labels{scores.width, scores.height, std::vector<std::uint8_t>(scores.pixels())};
  for (std::size_t i = 0; i < labels.ids.size(); ++i) {
    const float* pixel = scores.pixel(i);
    labels.ids[i] = static_cast<std::uint8_t>(std::max_element(pixel, pixel + scores.classes) - pixel);
  }
  return labels;
}

}  // namespace atrous
