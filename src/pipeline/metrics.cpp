// SPDX-License-Identifier: Apache-2.0
#include "pipeline/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "config/labels.h"
#include "core/error.h"

namespace atrous {
namespace {

/// Pixels of `id` within `reach` (chessboard distance) of a pixel that is not of `id`, or of the image's
/// edge: the mask less its erosion. Two separable passes over running distances.
std::vector<bool> boundary_band(const LabelMap& labels, std::uint8_t id, int reach) {
  const int w = labels.width, h = labels.height;
  std::vector<bool> near_row(labels.ids.size()), band(labels.ids.size());
  auto at = [w](int x, int y) {
    return static_cast<std::size_t>(y) * static_cast<std::size_t>(w) + static_cast<std::size_t>(x);
  };
  auto sweep = [&](int outer, int inner, auto index, auto is_outside, std::vector<bool>& out) {
    for (int i = 0; i < outer; ++i) {
      int last = -1;  // the image ends before 0 and at inner
      for (int j = 0; j < inner; ++j) {
        if (is_outside(index(i, j))) last = j;
        if (j - last <= reach) out[index(i, j)] = true;
      }
      last = inner;
      for (int j = inner - 1; j >= 0; --j) {
        if (is_outside(index(i, j))) last = j;
        if (last - j <= reach) out[index(i, j)] = true;
      }
    }
  };
  sweep(
      h, w, [&](int y, int x) { return at(x, y); }, [&](std::size_t i) { return labels.ids[i] != id; },
      near_row);
  sweep(
      w, h, [&](int x, int y) { return at(x, y); }, [&](std::size_t i) { return near_row[i]; }, band);
  for (std::size_t i = 0; i < band.size(); ++i) band[i] = band[i] && labels.ids[i] == id;
  return band;
}

double ratio(double part, double whole) {
  return whole > 0 ? part / whole : std::numeric_limits<double>::quiet_NaN();
}

/// Mean over what is not nan.
template <typename Get>
double mean_of(int classes, const Get& get) {
  double sum = 0;
  int count = 0;
  for (int c = 0; c < classes; ++c)
    if (const double value = get(c); !std::isnan(value)) sum += value, ++count;
  return ratio(sum, count);
}

}  // namespace

Confusion::Confusion(int classes)
    : classes_(classes),
      counts_(static_cast<std::size_t>(classes * (classes + 1))),
      boundary_intersection_(static_cast<std::size_t>(classes)),
      boundary_union_(static_cast<std::size_t>(classes)) {}

void Confusion::add(const LabelMap& truth, const LabelMap& prediction) {
  if (truth.width != prediction.width || truth.height != prediction.height)
    fail(ErrorCode::invalid_argument, "the prediction is {}x{} but its labels are {}x{}", prediction.width,
         prediction.height, truth.width, truth.height);
  std::vector<bool> present(256);
  LabelMap guess = prediction;
  for (std::size_t i = 0; i < truth.ids.size(); ++i) {
    const int t = truth.ids[i], p = prediction.ids[i];
    for (int id : {t, p})
      if (id >= classes_ && id != kIgnore)
        fail(ErrorCode::invalid_argument, "id {} is none of {} classes", id, classes_);
    present[static_cast<std::size_t>(t)] = present[static_cast<std::size_t>(p)] = true;
    if (t == kIgnore) {
      guess.ids[i] = kIgnore;  // so that no boundary inside is scored
      continue;
    }
    ++counts_[static_cast<std::size_t>(t * (classes_ + 1) + std::min(p, classes_))];
  }
  const int reach = std::max(1, static_cast<int>(std::lround(0.02 * std::hypot(truth.width, truth.height))));
  for (int c = 0; c < classes_; ++c) {
    const auto k = static_cast<std::size_t>(c);
    if (!present[k]) continue;
    const auto id = static_cast<std::uint8_t>(c);
    const std::vector<bool> a = boundary_band(truth, id, reach), b = boundary_band(guess, id, reach);
    for (std::size_t i = 0; i < a.size(); ++i) {
      boundary_intersection_[k] += a[i] && b[i] ? 1 : 0;
      boundary_union_[k] += a[i] || b[i] ? 1 : 0;
    }
  }
}

void Confusion::add(const Confusion& other) {
  auto accumulate = [](std::vector<std::int64_t>& to, const std::vector<std::int64_t>& from) {
    for (std::size_t i = 0; i < to.size(); ++i) to[i] += from[i];
  };
  accumulate(counts_, other.counts_);
  accumulate(boundary_intersection_, other.boundary_intersection_);
  accumulate(boundary_union_, other.boundary_union_);
}

Scores score(const Confusion& m) {
  const int classes = m.classes();
  Scores s{};
  double total = 0, right = 0, foreground = 0, foreground_right = 0, both = 0, either = 0;
  for (int c = 0; c < classes; ++c) {
    double truth = 0, guess = 0;
    for (int p = 0; p <= classes; ++p) truth += static_cast<double>(m.count(c, p));
    for (int t = 0; t < classes; ++t) guess += static_cast<double>(m.count(t, c));
    const auto hit = static_cast<double>(m.count(c, c));
    s.classes.push_back({ratio(hit, truth + guess - hit), ratio(2 * hit, truth + guess), ratio(hit, guess),
                         ratio(hit, truth)});
    total += truth, right += hit;
    if (c > 0) foreground += truth, foreground_right += hit;
    for (int p = 0; p <= classes; ++p) {
      const auto n = static_cast<double>(m.count(c, p));
      if (c > 0 && p > 0 && p < classes) both += n;
      if (c > 0 || (p > 0 && p < classes)) either += n;
    }
  }
  auto mean = [&](double ClassScores::*field) {
    return mean_of(classes, [&](int c) { return s.classes[static_cast<std::size_t>(c)].*field; });
  };
  s.mean_iou = mean(&ClassScores::iou), s.mean_f1 = mean(&ClassScores::f1);
  s.mean_precision = mean(&ClassScores::precision), s.mean_recall = mean(&ClassScores::recall);
  s.mean_accuracy = s.mean_recall;
  s.pixel_accuracy = ratio(right, total);
  s.foreground_accuracy = ratio(foreground_right, foreground);
  s.foreground_iou = ratio(both, either);
  s.boundary_iou = mean_of(classes, [&](int c) {
    return ratio(static_cast<double>(m.boundary_intersection(c)), static_cast<double>(m.boundary_union(c)));
  });
  return s;
}

}  // namespace atrous
