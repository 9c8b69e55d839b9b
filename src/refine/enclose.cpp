// SPDX-License-Identifier: Apache-2.0
#include "refine/enclose.h"

#include <array>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "refine/enclose.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
// after foreach_target
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace atrous::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Adams, Baek and Davis 2010, section 3.1: onto the hyperplane of coordinate sum 0, round, mend the sum.
/// Operation by operation as in Kraehenbuehl and Koltun's library: which vertices exist decides where blurs
/// pass, and points on a border between simplices have it decided by the last bit.
template <int D>
void enclose_some(const float* features, int from, Simplices& out) {
  const hn::CappedTag<float, 16> tag;
  const hn::RebindToSigned<decltype(tag)> whole;
  using Floats = hn::Vec<decltype(tag)>;
  using Wholes = hn::Vec<decltype(whole)>;
  constexpr float kStep = D + 1;
  const auto deviation = static_cast<float>(std::sqrt(2.0 / 3.0) * (D + 1));
  const auto set = [&](double value) { return hn::Set(tag, static_cast<float>(value)); };

  Floats elevated[D + 1], rest[D + 1], sum = hn::Zero(tag);
  for (int j = D; j > 0; --j) {
    const double scale = 1 / std::sqrt(j * (j + 1)) * deviation;  // for a blur of variance 1
    const Floats c = hn::Mul(hn::LoadU(tag, features + (j - 1) * Simplices::kMostPoints + from), set(scale));
    elevated[j] = hn::Sub(sum, hn::Mul(set(j), c));
    sum = hn::Add(sum, c);
  }
  elevated[0] = sum;
  Wholes base[D + 1], rank[D + 1], excess = hn::Zero(whole);
  for (int i = 0; i <= D; ++i) {
    const Floats nearest = hn::Round(hn::Mul(elevated[i], set(1 / kStep)));
    rest[i] = hn::Sub(elevated[i], hn::Mul(nearest, set(kStep)));
    const Wholes steps = hn::NearestInt(nearest);
    base[i] = hn::Mul(steps, hn::Set(whole, D + 1));
    rank[i] = hn::Zero(whole);
    excess = hn::Add(excess, steps);
  }
  for (int i = 0; i < D; ++i)
    for (int j = i + 1; j <= D; ++j) {
      const Wholes less = hn::VecFromMask(whole, hn::RebindMask(whole, hn::Lt(rest[i], rest[j])));  // -1 or 0
      rank[i] = hn::Sub(rank[i], less);
      rank[j] = hn::Add(rank[j], hn::Add(less, hn::Set(whole, 1)));
    }
  Wholes ranks = hn::Zero(whole);
  const Wholes round = hn::Set(whole, D + 1);
  for (int i = 0; i <= D; ++i) {
    rank[i] = hn::Add(rank[i], excess);
    const auto low = hn::Lt(rank[i], hn::Zero(whole)), high = hn::Gt(rank[i], hn::Set(whole, D));
    const Wholes wrap = hn::Sub(hn::IfThenElseZero(low, round), hn::IfThenElseZero(high, round));
    rank[i] = hn::Add(rank[i], wrap);
    rest[i] = hn::Mul(hn::Sub(rest[i], hn::ConvertTo(tag, wrap)), set(1 / kStep));
    ranks = hn::Or(hn::ShiftLeft<3>(ranks), rank[i]);
    if (i < D) hn::StoreU(hn::Add(base[i], wrap), whole, out.base[i] + from);
  }
  hn::StoreU(ranks, whole, out.ranks + from);

  for (int sorted = 0; sorted < D; ++sorted)
    for (int i = 0; i < D - sorted; ++i) {
      const Floats larger = hn::Max(rest[i], rest[i + 1]);
      rest[i + 1] = hn::Min(rest[i], rest[i + 1]);
      rest[i] = larger;
    }
  hn::StoreU(hn::Sub(hn::Add(set(1), rest[D]), rest[0]), tag, out.weights[0] + from);
  for (int r = 1; r <= D; ++r) hn::StoreU(hn::Sub(rest[D - r], rest[D - r + 1]), tag, out.weights[r] + from);
}

template <int D>
void enclose_all(const float* features, int count, Simplices& out) {
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(hn::CappedTag<float, 16>()));
  for (int from = 0; from < count; from += kLanes) enclose_some<D>(features, from, out);
}

void enclose(const float* features, int d, int count, Simplices& out) {
  switch (d) {
    case 1:
      return enclose_all<1>(features, count, out);
    case 2:
      return enclose_all<2>(features, count, out);
    case 3:
      return enclose_all<3>(features, count, out);
    case 4:
      return enclose_all<4>(features, count, out);
    default:
      return enclose_all<5>(features, count, out);
  }
}

}  // namespace atrous::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace atrous {

HWY_EXPORT(enclose);

namespace {

/// LatticeKey::step(d, axis).
constexpr auto kSteps = [] {
  std::array<std::array<LatticeKey, Simplices::kMostDimensions + 1>, Simplices::kMostDimensions + 1> steps;
  for (int d = 1; d <= Simplices::kMostDimensions; ++d)
    for (int axis = 0; axis <= d; ++axis)
      steps[static_cast<std::size_t>(d)][static_cast<std::size_t>(axis)] = LatticeKey::step(d, axis);
  return steps;
}();

}  // namespace

void enclose_points(const float* features, int d, int count, Simplices& simplices) {
  HWY_DYNAMIC_DISPATCH(enclose)(features, d, count, simplices);
}

void Simplices::corners(int d, int i, LatticeKey* keys) const {
  int axis[8];  // by rank
  LatticeKey key = LatticeKey::bias(d);
  for (int k = 0; k <= d; ++k) {
    axis[ranks[i] >> 3 * (d - k) & 7] = k;
    if (k < d) key += LatticeKey::unit(k, base[k][i]);
  }
  keys[0] = key;
  // what exceeds the first vertex most loses most on the way to the last
  for (int r = 1; r <= d; ++r)
    keys[r] = key += kSteps[static_cast<std::size_t>(d)][static_cast<std::size_t>(axis[d + 1 - r])];
}

}  // namespace atrous
#endif
