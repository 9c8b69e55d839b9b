// SPDX-License-Identifier: Apache-2.0
#include "refine/dense_crf.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/cancellation.h"
#include "core/error.h"
#include "core/outside.h"
#include "core/parallel.h"
#include "core/stopwatch.h"
#include "refine/mean_field.h"
#include "refine/scores.h"
#include "refine/square_crf.h"
#include "refine/superpixel_crf.h"

namespace atrous {
namespace {

/// Bits of a colour's channels in turn, from the highest on: colours near each other mostly have keys near
/// each other.
std::uint32_t colour_key(const std::uint8_t* rgb) {
  constexpr int kBits = 6;
  std::uint32_t key = 0;
  for (int bit = 7; bit > 7 - kBits; --bit)
    for (int c = 0; c < 3; ++c) key = 2 * key + (rgb[c] >> bit & 1U);
  return key;
}

/// The pixels' indices, tile after tile, and in a tile by colour, so that pixels near each other in feature
/// space follow each other.
std::vector<std::int32_t> tile_order(const ImageView& image) {
  constexpr int kTile = 64;
  const int across = (image.width + kTile - 1) / kTile, down = (image.height + kTile - 1) / kTile;
  std::vector<std::int32_t> order(static_cast<std::size_t>(image.width) *
                                  static_cast<std::size_t>(image.height));
  parallel_for(std::int64_t{across} * down, [&](std::int64_t number) {
    const int left = static_cast<int>(number % across) * kTile,
              top = static_cast<int>(number / across) * kTile;
    const int right = std::min(left + kTile, image.width), bottom = std::min(top + kTile, image.height);
    std::array<std::uint64_t, kTile * kTile> keys;
    auto* end = keys.data();
    for (int y = top; y < bottom; ++y)
      for (int x = left; x < right; ++x)
        *end++ = std::uint64_t{colour_key(image.row(y) + 3 * x)} << 32U |
                 static_cast<std::uint32_t>(y * image.width + x);
    std::sort(keys.data(), end);
    const std::int64_t before = std::int64_t{top} * image.width + std::int64_t{left} * (bottom - top);
    std::transform(keys.data(), end, order.begin() + before,
                   [](std::uint64_t key) { return static_cast<std::int32_t>(key); });
  });
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
  std::vector<float> norm = lattice.splat_ones();
  const float most = *std::max_element(norm.begin(), norm.end());
  if (normalization != Normalization::none) norm = lattice.filter_ones(std::move(norm));
  for (float& n : norm)
    n = 1 / (normalization == Normalization::symmetric ? std::sqrt(n + 1e-20F) : n + 1e-20F);
  const std::span<const float> none;
  const bool before = normalization == Normalization::before || normalization == Normalization::symmetric;
  const bool after = normalization == Normalization::after || normalization == Normalization::symmetric;
  return {std::move(lattice), most, before ? norm : none, after ? norm : none, weight, classes};
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

ScoreMap dense_crf(ScoreMap unary, const ImageView& image, const CrfParams& params, CrfTimes* times) {
  check(unary, image, params);
  check_cancelled();
  if (params.iterations == 0) return softmax_of(std::move(unary), -1);
  CrfTimes ignored;
  CrfTimes& took = times != nullptr ? *times : ignored;
  Stopwatch watch;
  if (params.on == CrfNodes::squares) return square_crf(unary, image, params, took);
  if (params.on == CrfNodes::superpixels) {
    const Superpixels nodes = make_nodes(image);
    took = {watch.lap(), 0, 0};
    return superpixel_crf(unary, image, params, nodes, took);
  }
  std::vector<std::int32_t> order = tile_order(image);
  std::vector<LatticeFilter> filters = make_filters(image, order, params, unary.classes);
  took.build = watch.lap();
  if (filters.empty()) return softmax_of(std::move(unary), -1);
  MeanField mean_field(unary, std::move(order), std::move(filters), params);
  mean_field.update(false);
  took.update = watch.lap();
  took.filter = 0;
  for (int iteration = 0; iteration < params.iterations; ++iteration) {
    check_cancelled();
    mean_field.filter();
    took.filter += watch.lap();
    mean_field.update(iteration + 1 == params.iterations);
    took.update += watch.lap();
  }
  mean_field.write_to(unary);
  took.update += watch.lap();
  return unary;
}

}  // namespace atrous
