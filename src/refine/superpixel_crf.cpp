// SPDX-License-Identifier: Apache-2.0
#include "refine/superpixel_crf.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "core/cancellation.h"
#include "core/parallel.h"
#include "core/softmax.h"
#include "core/stopwatch.h"
#include "refine/superpixel_runs.h"

namespace atrous {
namespace {

/// Rows of labels of the nodes, `classes` each.
using NodeRows = std::vector<float>;

/// Means over the pixels of every node.
struct Nodes {
  std::int64_t count;
  std::vector<float> pixels, x, y, red, green, blue;
  std::vector<float> spread, colour_spread;  ///< variances along an axis
  NodeRows unary;
};

Nodes measure_nodes(const ScoreMap& unary, const ImageView& image, const RunsOfSuperpixels& runs, int count) {
  const auto size = static_cast<std::size_t>(count), classes = static_cast<std::size_t>(unary.classes);
  const std::vector<float> none(size, 0);
  Nodes nodes{count, none, none, none, none, none, none, none, none, NodeRows(size * classes)};
  parallel_for(count, [&](std::int64_t id) {
    const auto i = static_cast<std::size_t>(id);
    std::array<double, 5> sum{}, square{};
    std::vector<double> energy(classes, 0);
    double pixels = 0;
    for (const PixelRun& run : runs[id])
      for (std::int64_t p = run.begin; p < run.end; ++p) {
        const auto x = static_cast<int>(p % image.width), y = static_cast<int>(p / image.width);
        const std::uint8_t* rgb = image.row(y) + 3 * x;
        const std::array<double, 5> feature{1.0 * x, 1.0 * y, 1.0 * rgb[0], 1.0 * rgb[1], 1.0 * rgb[2]};
        for (std::size_t k = 0; k < 5; ++k) sum[k] += feature[k], square[k] += feature[k] * feature[k];
        const float* from = unary.pixel(static_cast<std::size_t>(p));
        for (std::size_t c = 0; c < classes; ++c) energy[c] += static_cast<double>(from[c]);
        ++pixels;
      }
    for (std::size_t k = 0; k < 5; ++k) sum[k] /= pixels, square[k] = square[k] / pixels - sum[k] * sum[k];
    nodes.pixels[i] = static_cast<float>(pixels);
    nodes.x[i] = static_cast<float>(sum[0]), nodes.y[i] = static_cast<float>(sum[1]);
    nodes.red[i] = static_cast<float>(sum[2]), nodes.green[i] = static_cast<float>(sum[3]);
    nodes.blue[i] = static_cast<float>(sum[4]);
    nodes.spread[i] = static_cast<float>(std::max(0.0, (square[0] + square[1]) / 2));
    nodes.colour_spread[i] = static_cast<float>(std::max(0.0, (square[2] + square[3] + square[4]) / 3));
    for (std::size_t c = 0; c < classes; ++c)
      nodes.unary[i * classes + c] = static_cast<float>(energy[c] / pixels);
  });
  return nodes;
}

/// row[b] = the kernel between node a and every node b; srgb 0: of positions alone.
ATROUS_VECTORISE void kernel_row(const Nodes& nodes, std::int64_t a, float sxy, float srgb, float* row) {
  const float *x = nodes.x.data(), *y = nodes.y.data(), *spread = nodes.spread.data();
  const float *red = nodes.red.data(), *green = nodes.green.data(), *blue = nodes.blue.data();
  const float *colour_spread = nodes.colour_spread.data(), *pixels = nodes.pixels.data();
#pragma omp simd
  for (std::int64_t b = 0; b < nodes.count; ++b) {
    const float dx = x[a] - x[b], dy = y[a] - y[b], v = sxy * sxy + spread[a] + spread[b];
    float exponent = (dx * dx + dy * dy) / v, share = sxy * sxy / v;
    if (srgb > 0) {
      const float dr = red[a] - red[b], dg = green[a] - green[b], db = blue[a] - blue[b];
      const float u = srgb * srgb + colour_spread[a] + colour_spread[b], part = srgb * srgb / u;
      exponent += (dr * dr + dg * dg + db * db) / u, share *= part * std::sqrt(part);
    }
    row[b] = pixels[b] * share * fast_exp(-exponent / 2);
  }
}

/// What a node hears of another's row.
struct Heard {
  std::int32_t node;
  float weight;
};

/// to <- the weighted sum of the rows heard
ATROUS_VECTORISE void add_heard(std::span<const Heard> heard, const float* rows, std::int64_t classes,
                                float* to) {
  std::fill_n(to, classes, 0.0F);
  for (const Heard& h : heard) {
    const float* row = rows + h.node * classes;
#pragma omp simd
    for (std::int64_t c = 0; c < classes; ++c) to[c] += h.weight * row[c];
  }
}

/// The kernels of all terms, normalised, weighted and added: what each node hears of the others.
class Messages {
 public:
  Messages(const Nodes& nodes, const CrfParams& params) : count_(static_cast<std::size_t>(nodes.count)) {
    std::vector<float> dense(count_ * count_, 0);
    for (const GaussianTerm& g : params.gaussian) add(nodes, g.sxy, 0, g.weight, params.normalization, dense);
    for (const BilateralTerm& b : params.bilateral)
      add(nodes, b.sxy, b.srgb, b.weight, params.normalization, dense);
    first_ = {0};
    for (std::size_t a = 0; a < count_; ++a) {
      for (std::size_t b = 0; b < count_; ++b)
        if (const float weight = dense[a * count_ + b]; weight > kNegligible)
          heard_.push_back({static_cast<std::int32_t>(b), weight});
      first_.push_back(heard_.size());
    }
  }

  std::span<const Heard> heard_by(std::int64_t a) const {
    const auto i = static_cast<std::size_t>(a);
    return std::span(heard_).subspan(first_[i], first_[i + 1] - first_[i]);
  }

 private:
  static constexpr float kNegligible = 1e-6F;

  void add(const Nodes& nodes, float sxy, float srgb, float weight, Normalization normalization,
           std::vector<float>& dense) const {
    std::vector<float> kernel(dense.size()), norm(count_);
    parallel_for(nodes.count, [&](std::int64_t a) {
      float* row = kernel.data() + static_cast<std::size_t>(a) * count_;
      kernel_row(nodes, a, sxy, srgb, row);
      double sum = 0;
      for (std::size_t b = 0; b < count_; ++b) sum += static_cast<double>(row[b]);
      norm[static_cast<std::size_t>(a)] = static_cast<float>(sum);
    });
    parallel_for(nodes.count, [&](std::int64_t node) {
      const auto a = static_cast<std::size_t>(node);
      for (std::size_t b = 0; b < count_; ++b)
        dense[a * count_ + b] += weight * kernel[a * count_ + b] / divisor(norm[a], norm[b], normalization);
    });
  }

  static float divisor(float here, float there, Normalization normalization) {
    switch (normalization) {
      case Normalization::none:
        return 1;
      case Normalization::before:
        return there;
      case Normalization::after:
        return here;
      case Normalization::symmetric:
        break;
    }
    return std::sqrt(here) * std::sqrt(there);  // the product can be too small
  }

  std::size_t count_;
  std::vector<Heard> heard_;        ///< grouped by the node that hears
  std::vector<std::size_t> first_;  ///< nodes + 1
};

/// message <- -mu message; without a matrix (Potts) it stays.
void apply_compatibility(const std::vector<float>& mu, std::span<float> message) {
  if (mu.empty()) return;
  const std::vector<float> given(message.begin(), message.end());
  for (std::size_t a = 0; a < message.size(); ++a) {
    message[a] = 0;
    for (std::size_t b = 0; b < message.size(); ++b) message[a] -= mu[a * message.size() + b] * given[b];
  }
}

/// to <- softmax(message - energy) for `count` pixels that follow each other
ATROUS_VECTORISE void meet(const float* message, const float* energy, int classes, std::int64_t count,
                           float* to) {
  for (std::int64_t i = 0; i < count * classes; i += classes) {
    for (int c = 0; c < classes; ++c) to[i + c] = message[c] - energy[i + c];
    softmax(to + i, to + i, classes);
  }
}

}  // namespace

ScoreMap superpixel_crf(const ScoreMap& unary, const ImageView& image, const CrfParams& params,
                        const Superpixels& superpixels, CrfTimes& times) {
  Stopwatch watch;
  const auto classes = static_cast<std::size_t>(unary.classes);
  const RunsOfSuperpixels runs(superpixels);
  const Nodes nodes = measure_nodes(unary, image, runs, superpixels.count);
  const Messages messages(nodes, params);
  times.build += watch.lap();
  NodeRows q(nodes.unary.size()), heard(q.size(), 0);
  for (int iteration = 0; iteration < params.iterations; ++iteration) {
    check_cancelled();
    parallel_for(nodes.count, [&](std::int64_t a) {
      const std::size_t at = static_cast<std::size_t>(a) * classes;
      meet(heard.data() + at, nodes.unary.data() + at, unary.classes, 1, q.data() + at);
    });
    parallel_for(nodes.count, [&](std::int64_t a) {
      float* message = heard.data() + static_cast<std::size_t>(a) * classes;
      add_heard(messages.heard_by(a), q.data(), unary.classes, message);
      apply_compatibility(params.compatibility, {message, classes});
    });
  }
  times.filter += watch.lap();
  ScoreMap result{unary.width, unary.height, unary.classes, {}};
  result.values.resize(unary.values.size());
  parallel_for(nodes.count, [&](std::int64_t a) {
    for (const PixelRun& run : runs[a]) {
      const auto begin = static_cast<std::size_t>(run.begin);
      meet(heard.data() + static_cast<std::size_t>(a) * classes, unary.pixel(begin), unary.classes,
           run.end - run.begin, result.pixel(begin));
    }
  });
  times.update += watch.lap();
  return result;
}

}  // namespace atrous
