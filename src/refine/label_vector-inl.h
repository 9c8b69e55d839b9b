// SPDX-License-Identifier: Apache-2.0
// Eight labels at a time in single precision, whatever they are stored in. Included once an instruction set,
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

using LabelTag = hn::CappedTag<float, 8>;
using HalfTag = hn::Rebind<hwy::float16_t, LabelTag>;
using LabelVector = hn::Vec<LabelTag>;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(LabelTag()));
constexpr int kVectors = 8 / kLanes;  ///< a block of labels

inline LabelVector load(const float* from) { return hn::LoadU(LabelTag(), from); }
inline LabelVector load(const std::uint16_t* from) {
  return hn::PromoteTo(LabelTag(), hn::LoadU(HalfTag(), reinterpret_cast<const hwy::float16_t*>(from)));
}
inline void store(LabelVector v, float* to) { hn::StoreU(v, LabelTag(), to); }
inline void store(LabelVector v, std::uint16_t* to) {
  hn::StoreU(hn::DemoteTo(HalfTag(), v), HalfTag(), reinterpret_cast<hwy::float16_t*>(to));
}

/// A row of n blocks in registers, or for n = 0 of any number in memory.
template <int n>
struct Row {
  static constexpr int kMost = n > 0 ? n* kVectors : kMostLabels / kLanes;
  explicit Row(int blocks) : count(n > 0 ? kMost : blocks * kVectors) {}

  void clear() {
    for (int i = 0; i < vectors(); ++i) at[i] = hn::Zero(LabelTag());
  }
  template <typename T>
  void load_from(const T* from) {
    for (int i = 0; i < vectors(); ++i) at[i] = load(from + i * kLanes);
  }
  template <typename T>
  void store_to(T* to) const {
    for (int i = 0; i < vectors(); ++i) store(at[i], to + i * kLanes);
  }
  /// this += weight * the row at `from`
  template <typename T>
  void add(const T* from, float weight) {
    const LabelVector w = hn::Set(LabelTag(), weight);
    for (int i = 0; i < vectors(); ++i) at[i] = hn::MulAdd(w, load(from + i * kLanes), at[i]);
  }
  int vectors() const { return n > 0 ? kMost : count; }

  int count;
  LabelVector at[kMost];
};

/// Calls f(n) with n as a constant: the number of blocks where a row of them fits the registers, else 0.
template <typename F>
void with_blocks(int blocks, const F& f) {
  switch (blocks) {
    case 1:
      return f(std::integral_constant<int, 1>());
    case 2:
      return f(std::integral_constant<int, 2>());
    case 3:
      return f(std::integral_constant<int, 3>());
    case 4:
      return f(std::integral_constant<int, 4>());
    default:
      return f(std::integral_constant<int, 0>());
  }
}

}  // namespace atrous::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
