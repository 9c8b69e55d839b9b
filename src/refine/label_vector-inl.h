// SPDX-License-Identifier: Apache-2.0
// Blocks of labels in single precision, whatever they are stored in. Included once an instruction set,
// inside HWY_NAMESPACE's files (Highway's foreach_target).
#if defined(ATROUS_REFINE_LABEL_VECTOR_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ATROUS_REFINE_LABEL_VECTOR_INL_H
#undef ATROUS_REFINE_LABEL_VECTOR_INL_H
#else
#define ATROUS_REFINE_LABEL_VECTOR_INL_H
#endif

#include <hwy/highway.h>

#include <cstdint>
#include <type_traits>

#include "refine/label_rows.h"

HWY_BEFORE_NAMESPACE();
namespace atrous::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using LabelTag = hn::CappedTag<float, LabelRows::kEight>;
using HalfTag = hn::Rebind<hwy::float16_t, LabelTag>;
using LabelVector = hn::Vec<LabelTag>;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(LabelTag()));

/// The nearest halves. Where Highway makes them in software it cuts off what is behind their last bit, here
/// too for those that are denormal.
HWY_INLINE hn::Vec<HalfTag> to_half(LabelVector v) {
#if HWY_ARCH_X86 && HWY_TARGET >= HWY_SSE4
  const hn::RebindToSigned<LabelTag> bits;
  v = hn::BitCast(LabelTag(), hn::Add(hn::BitCast(bits, v), hn::Set(bits, 1 << 12)));
#endif
  return hn::DemoteTo(HalfTag(), v);
}

/// A block of labels in registers.
template <int kWidth>
struct Labels {
  static constexpr int kVectors = kWidth / kLanes;

  /// f(i) for each vector, without a loop, so that they stay in registers at any level of optimisation.
  template <typename F>
  static HWY_INLINE void each(const F& f) {
#pragma GCC unroll 32
    for (int i = 0; i < kVectors; ++i) f(i);
  }

  static HWY_INLINE Labels all(float value) {
    Labels result;
    each([&](int i) { result.at[i] = hn::Set(LabelTag(), value); });
    return result;
  }
  static HWY_INLINE Labels load(const float* from) {
    Labels result;
    each([&](int i) { result.at[i] = hn::LoadU(LabelTag(), from + i * kLanes); });
    return result;
  }
  static HWY_INLINE Labels load(const std::uint16_t* from) {
    Labels result;
    const auto* halves = reinterpret_cast<const hwy::float16_t*>(from);
    each([&](int i) { result.at[i] = hn::PromoteTo(LabelTag(), hn::LoadU(HalfTag(), halves + i * kLanes)); });
    return result;
  }
  /// from[index[0]], from[index[1]], ...
  static HWY_INLINE Labels gather(const float* from, const std::int32_t* index) {
    const hn::RebindToSigned<LabelTag> tag;
    Labels result;
    each(
        [&](int i) { result.at[i] = hn::GatherIndex(LabelTag(), from, hn::LoadU(tag, index + i * kLanes)); });
    return result;
  }
  HWY_INLINE void store(float* to) const {
    each([&](int i) { hn::StoreU(at[i], LabelTag(), to + i * kLanes); });
  }
  HWY_INLINE void store(std::uint16_t* to) const {
    auto* halves = reinterpret_cast<hwy::float16_t*>(to);
    each([&](int i) { hn::StoreU(to_half(at[i]), HalfTag(), halves + i * kLanes); });
  }

  /// this + weight * other
  HWY_INLINE Labels plus(float weight, const Labels& other) const {
    return combine(other, [w = hn::Set(LabelTag(), weight)](auto a, auto b) { return hn::MulAdd(w, b, a); });
  }
  HWY_INLINE Labels operator+(const Labels& other) const {
    return combine(other, [](auto a, auto b) { return hn::Add(a, b); });
  }
  HWY_INLINE Labels operator-(const Labels& other) const {
    return combine(other, [](auto a, auto b) { return hn::Sub(a, b); });
  }
  HWY_INLINE Labels operator*(float factor) const {
    return map([f = hn::Set(LabelTag(), factor)](auto a) { return hn::Mul(a, f); });
  }
  /// As it would be in half precision.
  HWY_INLINE Labels rounded() const {
    return map([](auto a) { return hn::PromoteTo(LabelTag(), to_half(a)); });
  }
  HWY_INLINE Labels magnitude() const {
    return map([](auto a) { return hn::Abs(a); });
  }

  /// All vectors in one.
  template <typename F>
  HWY_INLINE LabelVector fold(const F& f) const {
    LabelVector result = at[0];
    each([&](int i) { result = i == 0 ? result : f(result, at[i]); });
    return result;
  }
  HWY_INLINE LabelVector most() const {
    return fold([](auto a, auto b) { return hn::Max(a, b); });
  }

  HWY_INLINE float largest() const { return hn::GetLane(hn::MaxOfLanes(LabelTag(), most())); }
  HWY_INLINE bool any_above(float limit) const {
    return !hn::AllFalse(LabelTag(), hn::Gt(most(), hn::Set(LabelTag(), limit)));
  }
  HWY_INLINE bool is_zero() const {
    const LabelVector any = fold([](auto a, auto b) { return hn::Or(a, b); });
    return hn::AllTrue(LabelTag(), hn::Eq(any, hn::Zero(LabelTag())));
  }
  HWY_INLINE float total() const {
    return hn::GetLane(hn::SumOfLanes(LabelTag(), fold([](auto a, auto b) { return hn::Add(a, b); })));
  }

  template <typename F>
  HWY_INLINE Labels map(const F& f) const {
    Labels result;
    each([&](int i) { result.at[i] = f(at[i]); });
    return result;
  }
  template <typename F>
  HWY_INLINE Labels combine(const Labels& other, const F& f) const {
    Labels result;
    each([&](int i) { result.at[i] = f(at[i], other.at[i]); });
    return result;
  }

  LabelVector at[kVectors];
};

/// f(width) with the width of rows as a constant.
template <typename F>
HWY_INLINE void with_width(int width, const F& f) {
  static_assert(LabelRows::kWidest == 32);
  switch (width) {
    case 8:
      return f(std::integral_constant<int, 8>());
    case 16:
      return f(std::integral_constant<int, 16>());
    case 24:
      return f(std::integral_constant<int, 24>());
    default:
      return f(std::integral_constant<int, 32>());
  }
}

}  // namespace atrous::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
