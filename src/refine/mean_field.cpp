// SPDX-License-Identifier: Apache-2.0
#include "refine/mean_field.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "refine/mean_field.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
// after foreach_target
#include "refine/label_vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace atrous::HWY_NAMESPACE {

/// sum += the term's slice at a point
template <int n, typename T>
HWY_INLINE void add_slice(const Permutohedral& lattice, const T* values, std::int64_t pitch,
                          std::int64_t point, Row<n>& sum) {
  const Permutohedral::Share* slices = lattice.slices(point);
  for (int r = 0; r < lattice.corners(); ++r) sum.add(values + slices[r].index * pitch, slices[r].weight);
}

template <int n>
void apply_compatibility(const float* mu, int classes, Row<n>& message) {
  HWY_ALIGN float given[kMostLabels], result[kMostLabels] = {};
  message.store_to(given);
  for (int a = 0; a < classes; ++a)
    for (int b = 0; b < classes; ++b) result[a] -= mu[a * classes + b] * given[b];
  message.load_from(result);
}

/// exp(x) for x <= 0 within 3e-7 relative, at least exp(-87): 2^i * 2^f, i the nearest whole number.
HWY_INLINE LabelVector exp_below_0(LabelVector x) {
  const LabelTag tag;
  const LabelVector power = hn::Max(hn::Mul(x, hn::Set(tag, 1.44269504F)), hn::Set(tag, -126.0F));
  const LabelVector whole = hn::Round(power), f = hn::Sub(power, whole);
  LabelVector p = hn::Set(tag, 1.3333558e-3F);
  for (float c : {9.6181291e-3F, 5.5504109e-2F, 2.4022651e-1F, 6.9314718e-1F, 1.0F})
    p = hn::MulAdd(p, f, hn::Set(tag, c));
  const auto exponent = hn::ShiftLeft<23>(hn::ConvertTo(hn::RebindToSigned<LabelTag>(), whole));
  return hn::BitCast(tag, hn::Add(hn::BitCast(hn::RebindToSigned<LabelTag>(), p), exponent));
}

/// row <- softmax(row - energy); the result is the probability of all labels but the best.
template <int n>
HWY_INLINE float softmax(const std::uint16_t* energy, Row<n>& row) {
  const LabelTag tag;
  LabelVector most = hn::Set(tag, std::numeric_limits<float>::lowest()), sum = hn::Zero(tag);
  for (int i = 0; i < row.vectors(); ++i) {
    row.at[i] = hn::Sub(row.at[i], load(energy + i * kLanes));
    most = hn::Max(most, row.at[i]);
  }
  most = hn::MaxOfLanes(tag, most);
  for (int i = 0; i < row.vectors(); ++i) {
    row.at[i] = exp_below_0(hn::Sub(row.at[i], most));
    sum = hn::Add(sum, row.at[i]);
  }
  sum = hn::SumOfLanes(tag, sum);  // the best label's share in it is 1
  const LabelVector share = hn::Div(hn::Set(tag, 1), sum);
  for (int i = 0; i < row.vectors(); ++i) row.at[i] = hn::Mul(row.at[i], share);
  return (hn::GetLane(sum) - 1) * hn::GetLane(share);
}

/// Takes over a point's new values where they differ by more than `stop`, and says whether they do.
template <int n>
HWY_INLINE bool replace(const Row<n>& fresh, float stop, std::uint16_t* now, std::uint16_t* change) {
  const LabelTag tag;
  LabelVector most = hn::Zero(tag);
  for (int i = 0; i < fresh.vectors(); ++i)
    most = hn::Max(most, hn::Abs(hn::Sub(fresh.at[i], load(now + i * kLanes))));
  if (hn::GetLane(hn::MaxOfLanes(tag, most)) <= stop) return false;
  for (int i = 0; i < fresh.vectors(); ++i) {
    const LabelVector old = load(now + i * kLanes);
    store(fresh.at[i], now + i * kLanes);
    store(hn::Sub(load(now + i * kLanes), old), change + i * kLanes);
  }
  return true;
}

/// M at a point
template <int n>
HWY_INLINE void gather(std::span<const LatticeFilter> filters, std::int64_t pitch, std::int64_t point,
                       Row<n>& message) {
  message.clear();
  for (const LatticeFilter& filter : filters) {
    if (filter.values().half())
      add_slice(filter.lattice(), filter.values().halves(), pitch, point, message);
    else
      add_slice(filter.lattice(), filter.values().singles(), pitch, point, message);
  }
}

/// Points [begin, end) of a step, which are of one cell.
void update_points(std::span<LatticeFilter> filters, const LabelRows& energy, const CrfParams& params,
                   int classes, float reach, std::int64_t begin, std::int64_t end, float clock,
                   ChangingRows& q, Alarm* alarms) {
  const float stop = filters.empty() ? 0 : params.stop;  // at first there is nothing to keep
  constexpr int kBatch = 16;  // the messages of one point do not wait for the softmax of another
  const std::int64_t pitch = energy.pitch();
  with_blocks(energy.blocks(), [&](auto n) {
    HWY_ALIGN float messages[kBatch * kMostLabels];
    std::int64_t points[kBatch];
    float travelled[kBatch];
    Row<n> row(energy.blocks());
    for (std::int64_t point = begin; point < end;) {
      int count = 0;
      for (; point < end && count < kBatch; ++point) {
        q.changed.lower(point);
        Alarm& alarm = alarms[point];
        if (clock < alarm.clock) continue;
        float travel = 0;
        for (const LatticeFilter& filter : filters) travel += filter.travel(point);
        points[count] = point, travelled[count] = travel;
        if (travel >= alarm.travel) ++count;
        alarm.clock = clock + alarm.travel - travel;
      }
      for (int i = 0; i < count; ++i) {
        gather(filters, pitch, points[i], row);
        if (!params.compatibility.empty()) apply_compatibility(params.compatibility.data(), classes, row);
        row.store_to(messages + i * pitch);
      }
      for (int i = 0; i < count; ++i) {
        const std::int64_t at = points[i];
        row.load_from(messages + i * pitch);
        const float rest = softmax(energy.halves() + at * pitch, row);
        // messages that move by up to t multiply `rest` by up to exp(2 t); ln(1 + x) >= 2 x / (2 + x)
        const float x = params.stop / std::max(rest, 1e-9F);
        const float patience = reach * x / (2 + x);
        alarms[at] = {travelled[i] + patience, clock + patience};
        if (!replace(row, stop, q.now.halves() + at * pitch, q.change.halves() + at * pitch)) continue;
        q.changed.raise(at);
        for (LatticeFilter& filter : filters) filter.touch(at);
      }
    }
  });
}

/// rows <- energies of points [begin, end)
void to_rows(const ScoreMap& unary, const std::int32_t* order, std::int64_t begin, std::int64_t end,
             LabelRows& rows) {
  const int pitch = rows.pitch(), classes = unary.classes;
  HWY_ALIGN float row[kMostLabels];
  std::fill_n(row, pitch, std::numeric_limits<float>::infinity());
  for (std::int64_t i = begin; i < end; ++i) {
    const float* from = unary.pixel(static_cast<std::size_t>(order[i]));
    const float least = *std::min_element(from, from + classes);
    for (int c = 0; c < classes; ++c) row[c] = std::min(from[c] - least, 60'000.0F);
    for (int c = 0; c < pitch; c += kLanes) store(load(row + c), rows.halves() + i * pitch + c);
  }
}

/// map <- each row divided by its sum
void from_rows(const LabelRows& rows, std::span<const int> labels, const std::int32_t* order,
               std::int64_t begin, std::int64_t end, ScoreMap& map) {
  const int pitch = rows.pitch();
  HWY_ALIGN float row[kMostLabels];
  for (std::int64_t i = begin; i < end; ++i) {
    LabelVector sum = hn::Zero(LabelTag());
    for (int c = 0; c < pitch; c += kLanes) sum = hn::Add(sum, load(rows.halves() + i * pitch + c));
    const LabelVector share = hn::Div(hn::Set(LabelTag(), 1), hn::SumOfLanes(LabelTag(), sum));
    for (int c = 0; c < pitch; c += kLanes)
      store(hn::Mul(share, load(rows.halves() + i * pitch + c)), row + c);
    float* pixel = map.pixel(static_cast<std::size_t>(order[i]));
    for (std::size_t k = 0; k < labels.size(); ++k) pixel[labels[k]] = row[k];
  }
}

/// largest <- of every label, over the rows [begin, end)
void find_largest(const LabelRows& rows, std::int64_t begin, std::int64_t end, float* largest) {
  const std::int64_t pitch = rows.pitch();
  with_blocks(rows.blocks(), [&](auto n) {
    Row<n> most(rows.blocks());
    most.clear();
    for (std::int64_t i = begin; i < end; ++i)
      for (int c = 0; c < most.vectors(); ++c)
        most.at[c] = hn::Max(most.at[c], load(rows.halves() + i * pitch + c * kLanes));
    most.store_to(largest);
  });
}

}  // namespace atrous::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace atrous {

HWY_EXPORT(update_points);
HWY_EXPORT(to_rows);
HWY_EXPORT(from_rows);
HWY_EXPORT(find_largest);

LabelRows energy_rows(const ScoreMap& unary, std::span<const std::int32_t> order) {
  const auto points = static_cast<std::int64_t>(order.size());
  LabelRows rows(points, unary.classes, true);
  parallel_blocks(points, [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(to_rows)(unary, order.data(), begin, end, rows);
  });
  return rows;
}

MeanField::MeanField(LabelRows energy, std::int64_t points, int classes, const CrfParams& params)
    : energy_(std::move(energy)),
      points_(points),
      classes_(classes),
      params_(params),
      q_(points, classes),
      alarms_(static_cast<std::size_t>(points)),
      clocks_(static_cast<std::size_t>((points + Permutohedral::kCell - 1) / Permutohedral::kCell)) {
  labels_.resize(static_cast<std::size_t>(classes));
  std::iota(labels_.begin(), labels_.end(), 0);
  recompute({});
}

void MeanField::filter(std::span<LatticeFilter> filters) {
  for (LatticeFilter& filter : filters) filter.follow(q_);
}

void MeanField::update(std::span<LatticeFilter> filters) {
  recompute(filters);
  if (params_.compatibility.empty() && ++steps_ <= kNarrowingSteps && q_.now.blocks() > 1) narrow(filters);
}

void MeanField::recompute(std::span<LatticeFilter> filters) {
  float largest = 1;  // that a message's move can be multiplied by
  for (int a = 0; a < classes_ && !params_.compatibility.empty(); ++a) {
    float sum = 0;
    for (int b = 0; b < classes_; ++b)
      sum += std::abs(params_.compatibility[static_cast<std::size_t>(a * classes_ + b)]);
    largest = std::max(largest, sum);
  }
  parallel_for(static_cast<std::int64_t>(clocks_.size()), [&](std::int64_t cell) {
    float& clock = clocks_[static_cast<std::size_t>(cell)];
    for (const LatticeFilter& filter : filters) clock += filter.stir(cell);
    const std::int64_t begin = cell * Permutohedral::kCell;
    HWY_DYNAMIC_DISPATCH(update_points)
    (filters, energy_, params_, classes_, 1 / largest, begin, std::min(points_, begin + Permutohedral::kCell),
     clock, q_, alarms_.data());
  });
}

void MeanField::narrow(std::span<LatticeFilter> filters) {
  const auto pitch = static_cast<std::size_t>(q_.now.pitch());
  std::vector<float> largest(pitch);
  HWY_DYNAMIC_DISPATCH(find_largest)(q_.now, 0, points_, largest.data());
  std::vector<int> kept, labels;
  for (std::size_t k = 0; k < labels_.size(); ++k)
    if (largest[k] > params_.prune) kept.push_back(static_cast<int>(k)), labels.push_back(labels_[k]);
  if (kept.empty() || (kept.size() + LabelRows::kBlock - 1) / LabelRows::kBlock == pitch / LabelRows::kBlock)
    return;
  labels_ = labels;
  energy_ = energy_.narrowed(kept, std::numeric_limits<float>::infinity());
  q_.now = q_.now.narrowed(kept, 0);
  q_.change = q_.change.narrowed(kept, 0);
  for (LatticeFilter& filter : filters) filter.narrow(kept);
}

ScoreMap MeanField::to_map(std::span<const std::int32_t> order, int width, int height) const {
  ScoreMap map{width, height, classes_, {}};
  map.values.resize(map.pixels() * static_cast<std::size_t>(classes_));
  parallel_blocks(points_, [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(from_rows)(q_.now, labels_, order.data(), begin, end, map);
  });
  return map;
}

}  // namespace atrous
#endif
