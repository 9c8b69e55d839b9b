// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/device.h"

namespace atrous::cuda {

/// Taps [first, last) of a window along one axis.
struct TapRange {
  int first = 0, last = 0;
  ATROUS_HOST_DEVICE int count() const { return last - first; }
};

/// The taps that touch an input of `in` elements for some of a run of output positions: their first taps read
/// from `low` to `high`, and tap k reads k*dilation further on. All other taps read padding only.
template <typename Int>
ATROUS_HOST_DEVICE TapRange touched_taps(Int low, Int high, Int in, int k, int dilation) {
  const Int first = high >= 0 ? 0 : (-high + dilation - 1) / dilation;
  const Int past = low >= in ? 0 : (in - low + dilation - 1) / dilation;
  const Int last = past < k ? past : k;
  return {static_cast<int>(first), static_cast<int>(last > first ? last : first)};
}

}  // namespace atrous::cuda
