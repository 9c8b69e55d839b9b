// SPDX-License-Identifier: Apache-2.0
#include "refine/mean_field.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

#include "core/half.h"
#include "core/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "refine/mean_field.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
// after foreach_target
#include "refine/cell_step-inl.h"

HWY_BEFORE_NAMESPACE();
namespace atrous::HWY_NAMESPACE {

void step_cell(const MeanFieldStep& step, std::int64_t cell, CellScratch& scratch) {
  CellStep(step, cell, scratch).run();
}

/// Points [begin, end): energies in the order of `labels`, less the smallest, and behind them infinity; and
/// the smallest of every block.
void set_energies(const ScoreMap& unary, const std::int32_t* order, std::span<const std::int32_t> labels,
                  std::int64_t begin, std::int64_t end, std::int64_t pitch, LabelRows& energy,
                  std::uint16_t* least) {
  const int blocks = LabelRows::blocks_of(unary.classes);
  HWY_ALIGN float padding[kBlock];
  for (int k = 0; k < kBlock; ++k)
    padding[k] = (blocks - 1) * kBlock + k < unary.classes ? 0 : std::numeric_limits<float>::infinity();
  const Labels pad = Labels::load(padding);
  auto smaller = [](auto a, auto b) { return hn::Min(a, b); };
  Labels row[LabelRows::kMostBlocks];
  for (std::int64_t i = begin; i < end; ++i) {
    const float* from = unary.pixel(static_cast<std::size_t>(order[i]));
    Labels smallest = Labels::all(std::numeric_limits<float>::max());
    for (int b = 0; b < blocks; ++b) {
      row[b] = Labels::gather(from, labels.data() + b * kBlock);
      smallest = smallest.combine(row[b], smaller);
    }
    const Labels origin = Labels::all(smallest.smallest());
    for (int b = 0; b < blocks; ++b) {
      row[b] = (row[b] - origin).combine(Labels::all(60'000), smaller);
      if (b == blocks - 1) row[b] = row[b] + pad;
      row[b].store(energy.block(b) + i * kBlock);
      if (b > 0) least[b * pitch + i] = float_to_half(row[b].smallest());
    }
  }
}

/// Points [begin, end) of the map <- their probabilities, divided by their sum; `places`: where each label is
/// in the rows.
void write_points(const LabelRows& q, std::span<const std::int32_t> places, const std::int32_t* order,
                  std::int64_t begin, std::int64_t end, ScoreMap& map) {
  const int blocks = LabelRows::blocks_of(map.classes);
  HWY_ALIGN float row[kMostLabels];
  for (std::int64_t i = begin; i < end; ++i) {
    Labels sum = Labels::all(0);
    for (int b = 0; b < blocks; ++b) {
      const Labels values = Labels::load(q.block(b) + i * kBlock);
      values.store(row + b * kBlock);
      sum = sum + values;
    }
    const float share = 1 / sum.total();
    float* pixel = map.pixel(static_cast<std::size_t>(order[i]));
    int l = 0;
    for (; l + kBlock <= map.classes; l += kBlock)
      (Labels::gather(row, places.data() + l) * share).store(pixel + l);
    for (; l < map.classes; ++l) pixel[l] = row[places[static_cast<std::size_t>(l)]] * share;
  }
}

}  // namespace atrous::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace atrous {

HWY_EXPORT(step_cell);
HWY_EXPORT(set_energies);
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

MeanField::MeanField(const ScoreMap& unary, std::vector<std::int32_t> order,
                     std::vector<LatticeFilter> filters, const CrfParams& params)
    : order_(std::move(order)),
      filters_(std::move(filters)),
      params_(params),
      labels_(by_probability(unary)),
      energy_(std::ssize(order_), unary.classes),
      q_(std::ssize(order_), unary.classes),
      live_(order_.size(), 1),
      alarms_(order_.size()) {
  q_.clear();
  if (!params.compatibility.empty()) std::iota(labels_.begin(), labels_.end(), 0);
  std::vector<std::int32_t> gathered = labels_;  // whole blocks
  gathered.resize(static_cast<std::size_t>(LabelRows::blocks_of(unary.classes) * kBlock), labels_.front());
  const std::int64_t cells = filters_.front().lattice().cells();
  least_.resize(static_cast<std::size_t>(LabelRows::blocks_of(unary.classes) * cells * kCell));
  parallel_blocks(std::ssize(order_), [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(set_energies)
    (unary, order_.data(), gathered, begin, end, cells * kCell, energy_, least_.data());
  });
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
  const int labels = static_cast<int>(labels_.size());
  const MeanFieldStep step{filters_,     energy_,
                           q_,           least_.data(),
                           live_.data(), alarms_.data(),
                           params_,      std::ssize(order_),
                           labels,       1 / largest_compatibility(params_.compatibility, labels),
                           first_,       last};
  const std::int64_t cells = filters_.front().lattice().cells();
  parallel_for(cells, [&](std::int64_t cell) {
    CellScratch scratch(most_vertices_, labels);
    HWY_DYNAMIC_DISPATCH(step_cell)(step, cell, scratch);
  });
  first_ = false;
}

void MeanField::write_to(ScoreMap& map) const {
  std::vector<std::int32_t> places(labels_.size());
  for (std::size_t k = 0; k < labels_.size(); ++k)
    places[static_cast<std::size_t>(labels_[k])] = static_cast<std::int32_t>(k);
  parallel_blocks(std::ssize(order_), [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(write_points)(q_, places, order_.data(), begin, end, map);
  });
}

}  // namespace atrous
#endif
