// SPDX-License-Identifier: Apache-2.0
#include "refine/superpixel.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/parallel.h"
#include "refine/cielab.h"

namespace atrous {
namespace {

struct Centre {
  float l = 0, a = 0, b = 0, x = 0, y = 0;
};

class Slic {
 public:
  Slic(const ImageView& image, const SlicParams& params)
      : width_(image.width), height_(image.height), lab_(to_cielab(image)), iterations_(params.iterations) {
    const double pixels = static_cast<double>(width_) * height_;
    step_ = static_cast<float>(std::sqrt(pixels / params.superpixels));
    spatial_ = params.compactness / step_ * (params.compactness / step_);
    seed();
  }

  Superpixels run() {
    Superpixels result{
        width_, height_, 0,
        std::vector<std::int32_t>(static_cast<std::size_t>(width_) * static_cast<std::size_t>(height_), 0)};
    for (int i = 0; i < iterations_; ++i) {
      assign(result.ids);
      update(result.ids);
    }
    return result;
  }

 private:
  const float* lab(int x, int y) const {
    return lab_.data() +
           (static_cast<std::size_t>(y) * static_cast<std::size_t>(width_) + static_cast<std::size_t>(x)) * 3;
  }

  float gradient(int x, int y) const {
    const int left = std::max(0, x - 1), right = std::min(width_ - 1, x + 1), up = std::max(0, y - 1),
              down = std::min(height_ - 1, y + 1);
    float sum = 0;
    for (int c = 0; c < 3; ++c) {
      const float dx = lab(right, y)[c] - lab(left, y)[c], dy = lab(x, down)[c] - lab(x, up)[c];
      sum += dx * dx + dy * dy;
    }
    return sum;
  }

  /// A regular grid, each seed moved to the lowest gradient of its 3x3 neighbourhood.
  void seed() {
    columns_ = std::clamp(static_cast<int>(std::lround(static_cast<float>(width_) / step_)), 1, width_);
    rows_ = std::clamp(static_cast<int>(std::lround(static_cast<float>(height_) / step_)), 1, height_);
    for (int j = 0; j < rows_; ++j)
      for (int i = 0; i < columns_; ++i) {
        const int x0 = static_cast<int>((i + 0.5) * width_ / columns_),
                  y0 = static_cast<int>((j + 0.5) * height_ / rows_);
        int best_x = x0, best_y = y0;
        if (step_ >= 3)
          for (int y = std::max(0, y0 - 1); y <= std::min(height_ - 1, y0 + 1); ++y)
            for (int x = std::max(0, x0 - 1); x <= std::min(width_ - 1, x0 + 1); ++x)
              if (gradient(x, y) < gradient(best_x, best_y)) best_x = x, best_y = y;
        const float* color = lab(best_x, best_y);
        centres_.push_back(
            {color[0], color[1], color[2], static_cast<float>(best_x), static_cast<float>(best_y)});
      }
  }

  /// Each row of pixels looks at the centres whose window reaches it, in order: the same whoever runs the
  /// row.
  void assign(std::vector<std::int32_t>& ids) const {
    std::vector<std::vector<std::int32_t>> reach(static_cast<std::size_t>(height_));
    for (std::size_t k = 0; k < centres_.size(); ++k) {
      const int top = std::max(0, static_cast<int>(std::ceil(centres_[k].y - step_)));
      const int bottom = std::min(height_ - 1, static_cast<int>(std::floor(centres_[k].y + step_)));
      for (int y = top; y <= bottom; ++y)
        reach[static_cast<std::size_t>(y)].push_back(static_cast<std::int32_t>(k));
    }
    parallel_for(height_, [&](std::int64_t row) {
      std::vector<float> nearest(static_cast<std::size_t>(width_), std::numeric_limits<float>::max());
      const int y = static_cast<int>(row);
      std::int32_t* id = ids.data() + row * width_;
      for (std::int32_t k : reach[static_cast<std::size_t>(row)]) {
        const Centre& centre = centres_[static_cast<std::size_t>(k)];
        const float dy = static_cast<float>(y) - centre.y;
        const int left = std::max(0, static_cast<int>(std::ceil(centre.x - step_)));
        const int right = std::min(width_ - 1, static_cast<int>(std::floor(centre.x + step_)));
        for (int x = left; x <= right; ++x) {
          const float* color = lab(x, y);
          const float dl = color[0] - centre.l, da = color[1] - centre.a, db = color[2] - centre.b;
          const float dx = static_cast<float>(x) - centre.x;
          const float distance = dl * dl + da * da + db * db + (dx * dx + dy * dy) * spatial_;
          if (distance < nearest[static_cast<std::size_t>(x)]) {
            nearest[static_cast<std::size_t>(x)] = distance;
            id[x] = k;
          }
        }
      }
    });
  }

  void update(const std::vector<std::int32_t>& ids) {
    std::vector<std::array<double, 6>> sums(centres_.size());
    for (int y = 0; y < height_; ++y)
      for (int x = 0; x < width_; ++x) {
        auto& sum =
            sums[static_cast<std::size_t>(ids[static_cast<std::size_t>(y) * static_cast<std::size_t>(width_) +
                                              static_cast<std::size_t>(x)])];
        const float* color = lab(x, y);
        sum[0] += color[0], sum[1] += color[1], sum[2] += color[2], sum[3] += x, sum[4] += y, sum[5] += 1;
      }
    for (std::size_t k = 0; k < centres_.size(); ++k) {
      const auto& s = sums[k];
      if (s[5] == 0) continue;
      auto mean = [&](std::size_t i) { return static_cast<float>(s[i] / s[5]); };
      centres_[k] = {mean(0), mean(1), mean(2), mean(3), mean(4)};
    }
  }

  int width_, height_, columns_ = 1, rows_ = 1;
  std::vector<float> lab_;
  int iterations_;
  float step_ = 1, spatial_ = 1;
  std::vector<Centre> centres_;
};

/// Renumbers connected components; one smaller than `smallest` joins the component met just before it.
void enforce_connectivity(Superpixels& s, std::size_t smallest) {
  std::vector<std::int32_t> joined(s.ids.size(), -1);
  std::vector<std::size_t> component;
  const auto width = static_cast<std::size_t>(s.width);
  for (std::size_t start = 0; start < s.ids.size(); ++start) {
    if (joined[start] >= 0) continue;
    component.assign(1, start);
    joined[start] = s.count;
    std::int32_t neighbour = -1;
    for (std::size_t next = 0; next < component.size(); ++next) {
      const std::size_t at = component[next], x = at % width;
      auto visit = [&](std::size_t other) {
        if (joined[other] < 0 && s.ids[other] == s.ids[start]) {
          joined[other] = s.count;
          component.push_back(other);
        } else if (joined[other] >= 0 && joined[other] != s.count) {
          neighbour = joined[other];
        }
      };
      if (x > 0) visit(at - 1);
      if (x + 1 < width) visit(at + 1);
      if (at >= width) visit(at - width);
      if (at + width < s.ids.size()) visit(at + width);
    }
    if (component.size() < smallest && neighbour >= 0)
      for (std::size_t at : component) joined[at] = neighbour;
    else
      ++s.count;
  }
  s.ids = std::move(joined);
}

}  // namespace

Superpixels slic(const ImageView& image, const SlicParams& params) {
  const std::int64_t pixels = std::int64_t{image.width} * image.height;
  if (params.superpixels < 1 || params.superpixels > pixels)
    fail(ErrorCode::invalid_argument, "superpixels: {} do not fit an image of {}x{}", params.superpixels,
         image.width, image.height);
  if (!(params.compactness > 0) || params.iterations < 1)
    fail(ErrorCode::invalid_argument, "superpixels: compactness and iterations must be above 0");
  Superpixels result = Slic(image, params).run();
  enforce_connectivity(result, static_cast<std::size_t>(pixels / params.superpixels / 4));
  return result;
}

ScoreMap smooth_over_superpixels(const ScoreMap& scores, const Superpixels& s) {
  if (scores.width != s.width || scores.height != s.height)
    fail(ErrorCode::invalid_argument, "superpixels: {}x{} scores on a {}x{} partition", scores.width,
         scores.height, s.width, s.height);
  const auto classes = static_cast<std::size_t>(scores.classes);
  std::vector<double> sums(static_cast<std::size_t>(s.count) * classes),
      sizes(static_cast<std::size_t>(s.count));
  for (std::size_t i = 0; i < s.ids.size(); ++i) {
    const auto id = static_cast<std::size_t>(s.ids[i]);
    sizes[id] += 1;
    for (std::size_t c = 0; c < classes; ++c) sums[id * classes + c] += scores.pixel(i)[c];
  }
  ScoreMap smooth = scores;
  for (std::size_t i = 0; i < s.ids.size(); ++i) {
    const auto id = static_cast<std::size_t>(s.ids[i]);
    for (std::size_t c = 0; c < classes; ++c)
      smooth.pixel(i)[c] = static_cast<float>(sums[id * classes + c] / sizes[id]);
  }
  return smooth;
}

}  // namespace atrous
