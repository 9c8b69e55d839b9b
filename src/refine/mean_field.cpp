// SPDX-License-Identifier: Apache-2.0
#include "refine/mean_field.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <span>

#include "core/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "refine/mean_field.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
// after foreach_target
#include "refine/cell_step-inl.h"

HWY_BEFORE_NAMESPACE();
namespace atrous::HWY_NAMESPACE {

void step_cell(const MeanFieldStep& step, std::int64_t cell, CellScratch& scratch) {
  with_width(step.q.width(), [&](auto width) { CellStep<width>(step, cell, scratch).run(); });
}

/// Points [begin, end): energies in the order of `labels`, and the smallest of every block but the first.
void sort_energies(ScoreMap& unary, const std::int32_t* order, std::span<const std::int32_t> labels,
                   std::int64_t begin, std::int64_t end, std::int64_t pitch, float* least) {
  const int width = LabelRows::width_of(unary.classes);
  HWY_ALIGN float row[kMostLabels];
  for (std::int64_t i = begin; i < end; ++i) {
    float* pixel = unary.pixel(static_cast<std::size_t>(order[i]));
    for (std::size_t k = 0; k < labels.size(); ++k) row[k] = pixel[labels[k]];
    std::copy_n(row, unary.classes, pixel);
    for (int from = width; from < unary.classes; from += width)
      least[(from / width - 1) * pitch + i] =
          *std::min_element(row + from, row + std::min(from + width, unary.classes));
  }
}

/// Points [begin, end) of the map <- their probabilities, divided by their sum; `places`: where each label is
/// in the rows, if not in its own place.
void write_points(const LabelRows& q, std::span<const std::int32_t> places, const std::int32_t* order,
                  std::int64_t begin, std::int64_t end, ScoreMap& map) {
  const int blocks = LabelRows::blocks_of(map.classes);
  HWY_ALIGN float row[kMostLabels];
  with_width(q.width(), [&](auto w) {
    using Row = Labels<w>;
    using Eight = Labels<LabelRows::kEight>;
    for (std::int64_t i = begin; i < end; ++i) {
      Row sum = Row::all(0);
      for (int b = 0; b < blocks; ++b) {
        const Row values = Row::load(q.block(b) + i * w);
        values.store(row + b * w);
        sum = sum + values;
      }
      const float share = 1 / sum.total();
      float* pixel = map.pixel(static_cast<std::size_t>(order[i]));
      int l = 0;
      for (; l + LabelRows::kEight <= map.classes; l += LabelRows::kEight)
        ((places.empty() ? Eight::load(row + l) : Eight::gather(row, places.data() + l)) * share)
            .store(pixel + l);
      for (; l < map.classes; ++l)
        pixel[l] = row[places.empty() ? l : places[static_cast<std::size_t>(l)]] * share;
    }
  });
}

}  // namespace atrous::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace atrous {

HWY_EXPORT(step_cell);
HWY_EXPORT(sort_energies);
HWY_EXPORT(write_points);

namespace {

/// The labels, those with the most probability on a few thousand pixels first.
std::vector<std::int32_t> by_probability(const ScoreMap& unary) {
  constexpr std::size_t kSamples = 4096;
  std::vector<float> sums(static_cast<std::size_t>(unary.classes));
  for (std::size_t i = 0; i < unary.pixels(); i += unary.pixels() / kSamples + 1) {
    const float* energy = unary.pixel(i);
    const float least = *std::min_element(energy, energy + unary.classes);
    for (std::size_t l = 0; l < sums.size(); ++l) sums[l] += std::exp(least - energy[l]);
  }
  std::vector<std::int32_t> labels(sums.size());
  std::iota(labels.begin(), labels.end(), 0);
  std::stable_sort(labels.begin(), labels.end(), [&](int a, int b) {
    return sums[static_cast<std::size_t>(a)] > sums[static_cast<std::size_t>(b)];
  });
  return labels;
}

/// What a move of the messages K q is multiplied by, at most.
float largest_compatibility(std::span<const float> mu, int labels) {
  float largest = 1;
  for (; !mu.empty(); mu = mu.subspan(static_cast<std::size_t>(labels))) {
    float sum = 0;
    for (const float m : mu.first(static_cast<std::size_t>(labels))) sum += std::abs(m);
    largest = std::max(largest, sum);
  }
  return largest;
}

}  // namespace

MeanField::MeanField(ScoreMap& unary, LargeVector<std::int32_t> order, std::vector<LatticeFilter> filters,
                     const CrfParams& params)
    : order_(std::move(order)),
      filters_(std::move(filters)),
      params_(params),
      map_(unary),
      q_(std::ssize(order_), unary.classes),
      alarms_(order_.size()) {
  const std::int64_t cells = filters_.front().lattice().cells(), pitch = cells * kCell;
  const int blocks = LabelRows::blocks_of(unary.classes);
  if (blocks > 1 && params.compatibility.empty()) {
    labels_ = by_probability(unary);
    live_.assign(order_.size(), 1);
    least_.resize(static_cast<std::size_t>((blocks - 1) * pitch));
    parallel_blocks(std::ssize(order_), [&](std::int64_t begin, std::int64_t end) {
      HWY_DYNAMIC_DISPATCH(sort_energies)
      (unary, order_.data(), labels_, begin, end, pitch, least_.data());
    });
  }
  q_.clear(1);
  for (std::int64_t cell = 0; cell < cells; ++cell) {
    std::int64_t vertices = 0;
    for (const LatticeFilter& filter : filters_) vertices += std::ssize(filter.lattice().cell_vertices(cell));
    most_vertices_ = std::max(most_vertices_, vertices);
  }
}

void MeanField::filter() {
  for (LatticeFilter& filter : filters_) filter.follow();
}

void MeanField::update(bool last) {
  const int labels = map_.classes;
  const Energies energies(map_, order_.data());
  const MeanFieldStep step{filters_,      energies,
                           least_.data(), q_,
                           live_.data(),  alarms_.data(),
                           params_,       std::ssize(order_),
                           labels,        1 / largest_compatibility(params_.compatibility, labels),
                           first_,        last};
  const std::int64_t cells = filters_.front().lattice().cells();
  std::atomic<std::int64_t> next = 0;
  parallel_for(std::min<std::int64_t>(team_size(), cells), [&](std::int64_t) {
    CellScratch scratch(most_vertices_, labels);
    for (std::int64_t cell; (cell = next++) < cells;) HWY_DYNAMIC_DISPATCH(step_cell)(step, cell, scratch);
  });
  first_ = false;
}

void MeanField::finish() {
  std::vector<std::int32_t> places(labels_.size());
  for (std::size_t k = 0; k < labels_.size(); ++k)
    places[static_cast<std::size_t>(labels_[k])] = static_cast<std::int32_t>(k);
  parallel_blocks(std::ssize(order_), [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(write_points)(q_, places, order_.data(), begin, end, map_);
  });
}

}  // namespace atrous
#endif
