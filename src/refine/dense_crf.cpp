// SPDX-License-Identifier: Apache-2.0
#include "refine/dense_crf.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/cancellation.h"
#include "core/error.h"
#include "core/outside.h"
#include "core/parallel.h"
#include "core/stopwatch.h"
#include "refine/mean_field.h"
#include "refine/pixel_order.h"
#include "refine/scores.h"
#include "refine/square_crf.h"
#include "refine/superpixel_crf.h"

namespace atrous {
namespace {

/// Points of the pixels in feature space: (x, y) / sxy, and where `srgb` is not 0 (r, g, b) / srgb.
Permutohedral make_lattice(const ImageView& image, const LargeVector<std::int32_t>& order, float sxy,
                           float srgb) {
  auto features = [&](std::int64_t first, int count, float* to) {
    for (int i = 0; i < count; ++i) {
      const int pixel = order[static_cast<std::size_t>(first + i)];
      const int x = pixel % image.width, y = pixel / image.width;
      to[i] = static_cast<float>(x) / sxy;
      to[Simplices::kMostPoints + i] = static_cast<float>(y) / sxy;
      for (int c = 0; c < 3 && srgb != 0; ++c)
        to[(2 + c) * Simplices::kMostPoints + i] = static_cast<float>(image.row(y)[3 * x + c]) / srgb;
    }
  };
  return {std::ssize(order), srgb != 0 ? 5 : 2, features};
}

LatticeFilter make_filter(Permutohedral lattice, float weight, Normalization normalization, int classes) {
  std::vector<float> norm = lattice.splat_ones();
  const float most = *std::max_element(norm.begin(), norm.end());
  if (normalization != Normalization::none) norm = lattice.filter_ones(std::move(norm));
  parallel_blocks(std::ssize(norm), [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i)
      norm[i] =
          1 / (normalization == Normalization::symmetric ? std::sqrt(norm[i] + 1e-20F) : norm[i] + 1e-20F);
  });
  const std::span<const float> none;
  const bool before = normalization == Normalization::before || normalization == Normalization::symmetric;
  const bool after = normalization == Normalization::after || normalization == Normalization::symmetric;
  return {std::move(lattice), most, before ? norm : none, after ? norm : none, weight, classes};
}

std::vector<LatticeFilter> make_filters(const ImageView& image, const LargeVector<std::int32_t>& order,
                                        const CrfParams& params, int classes) {
  std::vector<LatticeFilter> filters;
  for (const GaussianTerm& g : params.gaussian)
    if (g.weight > 0)
      filters.push_back(
          make_filter(make_lattice(image, order, g.sxy, 0), g.weight, params.normalization, classes));
  for (const BilateralTerm& b : params.bilateral)
    if (b.weight > 0)
      filters.push_back(
          make_filter(make_lattice(image, order, b.sxy, b.srgb), b.weight, params.normalization, classes));
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
  if (unary.pixels() == 0 || unary.values.size() != unary.pixels() * classes)
    fail(ErrorCode::invalid_argument, "crf: {} scores for {}x{} pixels and {} classes", unary.values.size(),
         unary.width, unary.height, classes);
  constexpr float kLargest = std::numeric_limits<float>::max();
  if (find_outside(unary.values, kLargest))
    fail(ErrorCode::invalid_argument, "crf: a unary energy is not finite");
  std::vector<float> numbers = params.compatibility;
  for (const GaussianTerm& g : params.gaussian) numbers.insert(numbers.end(), {g.sxy, g.weight});
  for (const BilateralTerm& b : params.bilateral) numbers.insert(numbers.end(), {b.sxy, b.srgb, b.weight});
  if (find_outside(numbers, kLargest))
    fail(ErrorCode::invalid_argument, "crf: a parameter or compatibility is not finite");
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
  LargeVector<std::int32_t> order = pixel_order(image.width, image.height);
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
  mean_field.finish();
  took.update += watch.lap();
  return unary;
}

}  // namespace atrous
