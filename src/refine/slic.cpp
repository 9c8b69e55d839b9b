// SPDX-License-Identifier: Apache-2.0
#include "refine/slic.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/cancellation.h"
#include "core/parallel.h"
#include "refine/cielab.h"

namespace atrous {
namespace {

struct Centre {
  float l = 0, a = 0, b = 0, x = 0, y = 0;
};

/// Neighbouring pixels of a row, worked on together. Templates would drop the alignment.
constexpr std::ptrdiff_t kLanes = LabImage::kLanes;
using Floats [[gnu::vector_size(4 * kLanes), gnu::aligned(4), gnu::may_alias]] = float;
using Ints [[gnu::vector_size(4 * kLanes), gnu::aligned(4), gnu::may_alias]] = std::int32_t;

inline const Floats& group(const float* first) { return *reinterpret_cast<const Floats*>(first); }
inline Floats& group(float* first) { return *reinterpret_cast<Floats*>(first); }
inline const Ints& group(const std::int32_t* first) { return *reinterpret_cast<const Ints*>(first); }
inline Ints& group(std::int32_t* first) { return *reinterpret_cast<Ints*>(first); }

constexpr Floats kSteps{0, 1, 2, 3, 4, 5, 6, 7};

/// Pixels [left, right) x [top, bottom); left and right are multiples of kLanes.
struct Window {
  std::ptrdiff_t left, right;
  int top, bottom;
};

/// Pixels of the window, at most `reach` to the left or right of the centre, that are nearer to it than to
/// those before it become its own.
ATROUS_VECTORISE void claim(const LabImage& lab, const Centre& centre, std::int32_t k, float reach,
                            float spatial, const Window& window, float* nearest, std::int32_t* ids) {
  for (int y = window.top; y < window.bottom; ++y) {
    const float dy = static_cast<float>(y) - centre.y;
    for (std::ptrdiff_t x = window.left; x < window.right; x += kLanes) {
      const std::ptrdiff_t at = y * lab.stride + x;
      const Floats dl = group(lab.l.data() + at) - centre.l, da = group(lab.a.data() + at) - centre.a,
                   db = group(lab.b.data() + at) - centre.b;
      const Floats dx = kSteps + (static_cast<float>(x) - centre.x);
      const Floats distance = dl * dl + da * da + db * db + (dx * dx + dy * dy) * spatial;
      Floats& best = group(nearest + at);
      Ints& id = group(ids + at);
      const Ints nearer = (distance < best) & (dx * dx <= reach * reach);
      best = nearer ? distance : best;
      id = nearer ? Ints{} + k : id;
    }
  }
}

float sum_of(const Floats& values) {
  float sum = 0;
  for (std::ptrdiff_t i = 0; i < kLanes; ++i) sum += values[i];
  return sum;
}

/// Mean of the window's pixels that are the centre's own; the centre as it is where there are none. Sums of
/// differences to the centre stay small enough for floats.
ATROUS_VECTORISE Centre mean_of(const LabImage& lab, const Centre& centre, std::int32_t k,
                                const Window& window, const std::int32_t* ids) {
  Floats l{}, a{}, b{}, dx{}, dy{}, count{};
  for (int y = window.top; y < window.bottom; ++y)
    for (std::ptrdiff_t x = window.left; x < window.right; x += kLanes) {
      const std::ptrdiff_t at = y * lab.stride + x;
      const Ints own = group(ids + at) == k;
      l += own ? group(lab.l.data() + at) - centre.l : Floats{};
      a += own ? group(lab.a.data() + at) - centre.a : Floats{};
      b += own ? group(lab.b.data() + at) - centre.b : Floats{};
      dx += own ? kSteps + (static_cast<float>(x) - centre.x) : Floats{};
      dy += own ? Floats{} + (static_cast<float>(y) - centre.y) : Floats{};
      count += own ? Floats{} + 1 : Floats{};
    }
  const float pixels = sum_of(count);
  if (pixels == 0) return centre;
  return {centre.l + sum_of(l) / pixels, centre.a + sum_of(a) / pixels, centre.b + sum_of(b) / pixels,
          centre.x + sum_of(dx) / pixels, centre.y + sum_of(dy) / pixels};
}

class Slic {
 public:
  Slic(const ImageView& image, const SlicParams& params)
      : width_(image.width),
        height_(image.height),
        lab_(to_cielab(image)),
        nearest_(lab_.l.size(), -1.0F),
        ids_(lab_.l.size(), -1) {
    const double pixels = static_cast<double>(width_) * height_;
    step_ = static_cast<float>(std::sqrt(pixels / params.superpixels));
    spatial_ = params.compactness / step_ * (params.compactness / step_);
    seed();
  }

  std::vector<std::int32_t> run(int iterations) {
    for (int y = 0; y < height_; ++y) std::fill_n(ids_.begin() + y * lab_.stride, width_, 0);
    for (int i = 0; i < iterations; ++i) {
      check_cancelled();
      if (i > 0) update();
      assign();
    }
    for (int y = 0; y < height_; ++y)  // close the gaps between rows
      std::copy_n(ids_.begin() + y * lab_.stride, width_, ids_.begin() + std::ptrdiff_t{y} * width_);
    ids_.resize(static_cast<std::size_t>(width_) * static_cast<std::size_t>(height_));
    return std::move(ids_);
  }

 private:
  std::size_t index(int x, int y) const { return static_cast<std::size_t>(y * lab_.stride + x); }

  float gradient(int x, int y) const {
    const std::size_t left = index(std::max(0, x - 1), y), right = index(std::min(width_ - 1, x + 1), y),
                      up = index(x, std::max(0, y - 1)), down = index(x, std::min(height_ - 1, y + 1));
    float sum = 0;
    for (const std::vector<float>* plane : {&lab_.l, &lab_.a, &lab_.b}) {
      const float dx = (*plane)[right] - (*plane)[left], dy = (*plane)[down] - (*plane)[up];
      sum += dx * dx + dy * dy;
    }
    return sum;
  }

  /// A regular grid, each seed moved to the lowest gradient of its 3x3 neighbourhood.
  void seed() {
    const int columns =
                  std::clamp(static_cast<int>(std::lround(static_cast<float>(width_) / step_)), 1, width_),
              rows =
                  std::clamp(static_cast<int>(std::lround(static_cast<float>(height_) / step_)), 1, height_);
    for (int j = 0; j < rows; ++j)
      for (int i = 0; i < columns; ++i) {
        const int x0 = static_cast<int>((i + 0.5) * width_ / columns),
                  y0 = static_cast<int>((j + 0.5) * height_ / rows);
        int best_x = x0, best_y = y0;
        if (step_ >= 3)
          for (int y = std::max(0, y0 - 1); y <= std::min(height_ - 1, y0 + 1); ++y)
            for (int x = std::max(0, x0 - 1); x <= std::min(width_ - 1, x0 + 1); ++x)
              if (gradient(x, y) < gradient(best_x, best_y)) best_x = x, best_y = y;
        const std::size_t at = index(best_x, best_y);
        centres_.push_back(
            {lab_.l[at], lab_.a[at], lab_.b[at], static_cast<float>(best_x), static_cast<float>(best_y)});
      }
  }

  /// What a centre searches: 2S x 2S around it, widened to whole lanes.
  Window window(const Centre& centre) const {
    const auto left = static_cast<std::ptrdiff_t>(std::max(0.0F, centre.x - step_)),
               right = static_cast<std::ptrdiff_t>(centre.x + step_) + 1;
    return {left / kLanes * kLanes, std::min(lab_.stride, (right + kLanes - 1) / kLanes * kLanes),
            std::max(0, static_cast<int>(std::ceil(centre.y - step_))),
            std::min(height_, static_cast<int>(centre.y + step_) + 1)};
  }

  /// Bands of rows look at the centres whose window reaches them, in order: the same whoever runs a band.
  void assign() {
    constexpr int kBand = 16;
    std::vector<std::vector<std::int32_t>> reach(static_cast<std::size_t>((height_ + kBand - 1) / kBand));
    for (std::size_t k = 0; k < centres_.size(); ++k) {
      const Window w = window(centres_[k]);
      for (int band = w.top / kBand; band * kBand < w.bottom; ++band)
        reach[static_cast<std::size_t>(band)].push_back(static_cast<std::int32_t>(k));
    }
    parallel_for(static_cast<std::int64_t>(reach.size()), [&](std::int64_t band) {
      const int top = static_cast<int>(band) * kBand, bottom = std::min(height_, top + kBand);
      for (int y = top; y < bottom; ++y)
        std::fill_n(nearest_.begin() + y * lab_.stride, width_, std::numeric_limits<float>::max());
      for (std::int32_t k : reach[static_cast<std::size_t>(band)]) {
        const Centre& centre = centres_[static_cast<std::size_t>(k)];
        Window w = window(centre);
        w.top = std::max(w.top, top), w.bottom = std::min(w.bottom, bottom);
        claim(lab_, centre, k, step_, spatial_, w, nearest_.data(), ids_.data());
      }
    });
  }

  void update() {
    parallel_for(static_cast<std::int64_t>(centres_.size()), [&](std::int64_t k) {
      Centre& centre = centres_[static_cast<std::size_t>(k)];
      centre = mean_of(lab_, centre, static_cast<std::int32_t>(k), window(centre), ids_.data());
    });
  }

  int width_, height_;
  LabImage lab_;
  std::vector<float> nearest_;  ///< distance of each pixel to its centre, rows as in lab_; -1 past the width
  std::vector<std::int32_t> ids_;  ///< each pixel's centre; -1 past the width
  float step_ = 1, spatial_ = 1;
  std::vector<Centre> centres_;
};

}  // namespace

std::vector<std::int32_t> slic_clusters(const ImageView& image, const SlicParams& params) {
  return Slic(image, params).run(params.iterations);
}

}  // namespace atrous
