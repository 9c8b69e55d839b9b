// SPDX-License-Identifier: Apache-2.0
#include "refine/label_rows.h"

#include "core/half.h"
#include "core/parallel.h"

namespace atrous {
namespace {

template <typename T>
void narrow(const T* from, int pitch_from, std::span<const int> kept, T padding, std::int64_t rows, T* to,
            int pitch_to) {
  parallel_blocks(rows, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      T* row = std::fill_n(to + i * pitch_to, pitch_to, padding) - pitch_to;
      for (std::size_t k = 0; k < kept.size(); ++k) row[k] = from[i * pitch_from + kept[k]];
    }
  });
}

}  // namespace

LabelRows LabelRows::narrowed(std::span<const int> kept, float padding) const {
  LabelRows result(count(), static_cast<int>(kept.size()), half_);
  if (half_)
    narrow(halves(), pitch(), kept, float_to_half(padding), count(), result.halves(), result.pitch());
  else
    narrow(singles(), pitch(), kept, padding, count(), result.singles(), result.pitch());
  return result;
}

}  // namespace atrous
