// SPDX-License-Identifier: Apache-2.0
#include "refine/permutohedral.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "refine/slice.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
// after foreach_target
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace atrous::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

void slice_cell(const Permutohedral::Shares& shares, int corners, const float* values, float* to) {
  constexpr std::int64_t kCell = Permutohedral::kCell;
  const hn::CappedTag<float, 16> tag;
  const hn::RebindToSigned<decltype(tag)> whole;
  const hn::Rebind<std::uint16_t, decltype(tag)> narrow;
  for (std::int64_t i = 0; i < kCell; i += static_cast<std::int64_t>(hn::Lanes(tag))) {
    auto sum = hn::Zero(tag);
    for (int r = 0; r < corners; ++r) {
      const std::int64_t share = r * kCell + i;
      const auto weight = hn::ConvertTo(tag, hn::PromoteTo(whole, hn::LoadU(narrow, shares.weights + share)));
      const auto vertex = hn::PromoteTo(whole, hn::LoadU(narrow, shares.vertices + share));
      sum = hn::MulAdd(weight, hn::GatherIndex(tag, values, vertex), sum);
    }
    hn::StoreU(sum, tag, to + i);
  }
}

}  // namespace atrous::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace atrous {

HWY_EXPORT(slice_cell);

void Permutohedral::slice(std::int64_t cell, const float* values, float* to) const {
  HWY_DYNAMIC_DISPATCH(slice_cell)(shares(cell), corners(), values, to);
}

}  // namespace atrous
#endif
