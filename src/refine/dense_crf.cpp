// SPDX-License-Identifier: Apache-2.0
#include "refine/dense_crf.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "core/error.h"
#include "core/parallel.h"
#include "core/softmax.h"
#include "refine/permutohedral.h"

namespace atrous {
namespace {

/// Points of the pixels in feature space: (x, y) / sxy, and where `image` is given (r, g, b) / srgb.
std::vector<float> pixel_features(int width, int height, float sxy, const ImageView* image, float srgb) {
  const std::size_t dimensions = image != nullptr ? 5 : 2;
  std::vector<float> features(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) *
                              dimensions);
  float* f = features.data();
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x, f += dimensions) {
      f[0] = static_cast<float>(x) / sxy;
      f[1] = static_cast<float>(y) / sxy;
      if (image != nullptr)
        for (int c = 0; c < 3; ++c) f[2 + c] = static_cast<float>(image->row(y)[3 * x + c]) / srgb;
    }
  return features;
}

/// weight * normalised kernel.
class PairwiseTerm {
 public:
  PairwiseTerm(const std::vector<float>& features, int dimensions, float weight, Normalization normalization)
      : lattice_(features, dimensions), weight_(weight) {
    if (normalization == Normalization::none) return;
    std::vector<float> ones(static_cast<std::size_t>(lattice_.points()), 1), scratch;
    lattice_.filter(ones.data(), ones.data(), 1, scratch);
    for (float& n : ones)
      n = 1 / (normalization == Normalization::symmetric ? std::sqrt(n + 1e-20F) : n + 1e-20F);
    if (normalization != Normalization::after) before_ = ones;
    if (normalization != Normalization::before) after_ = std::move(ones);
  }

  /// sum += weight K q
  void add(const ScoreMap& q, std::vector<float>& filtered, std::vector<float>& scratch,
           ScoreMap& sum) const {
    const int classes = q.classes;
    filtered.resize(q.values.size());
    const float* in = q.values.data();
    if (!before_.empty()) {
      for_pixels(q, [&](std::size_t i, std::size_t at) {
        for (int c = 0; c < classes; ++c)
          filtered[at + static_cast<std::size_t>(c)] = in[at + static_cast<std::size_t>(c)] * before_[i];
      });
      in = filtered.data();
    }
    lattice_.filter(in, filtered.data(), classes, scratch);
    for_pixels(q, [&](std::size_t i, std::size_t at) {
      const float factor = weight_ * (after_.empty() ? 1.0F : after_[i]);
      for (int c = 0; c < classes; ++c)
        sum.values[at + static_cast<std::size_t>(c)] += factor * filtered[at + static_cast<std::size_t>(c)];
    });
  }

  /// f(pixel, its first value) for all pixels.
  template <typename F>
  static void for_pixels(const ScoreMap& map, const F& f) {
    parallel_blocks(static_cast<std::int64_t>(map.pixels()), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        f(static_cast<std::size_t>(i), static_cast<std::size_t>(i) * static_cast<std::size_t>(map.classes));
    });
  }

 private:
  Permutohedral lattice_;
  float weight_;
  std::vector<float> before_, after_;  ///< a factor a pixel; empty: 1
};

std::vector<PairwiseTerm> make_terms(const ImageView& image, const CrfParams& params) {
  std::vector<PairwiseTerm> terms;
  for (const GaussianTerm& g : params.gaussian)
    if (g.weight > 0)
      terms.emplace_back(pixel_features(image.width, image.height, g.sxy, nullptr, 1), 2, g.weight,
                         params.normalization);
  for (const BilateralTerm& b : params.bilateral)
    if (b.weight > 0)
      terms.emplace_back(pixel_features(image.width, image.height, b.sxy, &image, b.srgb), 5, b.weight,
                         params.normalization);
  return terms;
}

void check(const ScoreMap& unary, const ImageView& image, const CrfParams& params) {
  if (unary.width != image.width || unary.height != image.height)
    fail(ErrorCode::invalid_argument, "crf: the scores are {}x{} but the image is {}x{}", unary.width,
         unary.height, image.width, image.height);
  const auto classes = static_cast<std::size_t>(unary.classes);
  if (!params.compatibility.empty() && params.compatibility.size() != classes * classes)
    fail(ErrorCode::invalid_argument, "crf: {} classes need {} compatibilities, not {}", classes,
         classes * classes, params.compatibility.size());
  for (float u : unary.values)
    if (!std::isfinite(u)) fail(ErrorCode::invalid_argument, "crf: a unary energy is not finite");
}

}  // namespace

ScoreMap dense_crf(const ScoreMap& unary, const ImageView& image, const CrfParams& params) {
  check(unary, image, params);
  ScoreMap q = softmax_of(unary, -1);
  if (params.iterations == 0) return q;
  const std::vector<PairwiseTerm> terms = make_terms(image, params);
  std::vector<float> filtered, scratch;
  ScoreMap message{unary.width, unary.height, unary.classes, {}};
  const int classes = unary.classes;
  for (int iteration = 0; iteration < params.iterations; ++iteration) {
    message.values.assign(unary.values.size(), 0);
    for (const PairwiseTerm& term : terms) term.add(q, filtered, scratch, message);
    PairwiseTerm::for_pixels(q, [&](std::size_t i, std::size_t at) {
      float* to = q.pixel(i);
      for (int a = 0; a < classes; ++a) {
        float pairwise = message.values[at + static_cast<std::size_t>(a)];
        if (!params.compatibility.empty()) {
          pairwise = 0;
          for (int b = 0; b < classes; ++b)
            pairwise -= params.compatibility[static_cast<std::size_t>(a * classes + b)] *
                        message.values[at + static_cast<std::size_t>(b)];
        }
        to[a] = pairwise - unary.values[at + static_cast<std::size_t>(a)];
      }
      softmax(to, to, classes);
    });
  }
  return q;
}

ScoreMap unary_from_probabilities(ScoreMap probabilities) {
  for (float& value : probabilities.values) value = -std::log(std::max(value, 1e-5F));
  return probabilities;
}

ScoreMap unary_from_logits(ScoreMap logits) {
  return unary_from_probabilities(softmax_of(std::move(logits), 1));
}

ScoreMap softmax_of(ScoreMap scores, float sign) {
  PairwiseTerm::for_pixels(scores, [&](std::size_t i, std::size_t) {
    float* pixel = scores.pixel(i);
    for (int c = 0; c < scores.classes; ++c) pixel[c] *= sign;
    softmax(pixel, pixel, scores.classes);
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
