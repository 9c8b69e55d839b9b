// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ops/params.h"
#include "ops/schema.h"

namespace atrous {

/// Explicit padding of a window operator on an input of this extent: `same` resolved, else a copy.
Padding resolve_padding(const Padding& padding, const Shape& input, int kh, int kw, int sh, int sw, int dh,
                        int dw);

/// floor((in + pads - (d*(k-1)+1)) / s) + 1; with ceil_mode rounded up, unless the last window would start
/// past the input and its leading padding. Throws Error{bad_config} where the window does not fit.
std::int64_t window_extent(std::int64_t in, int k, int s, int d, int pad_begin, int pad_end, bool ceil_mode);

/// The key `padding`: same, one number, [h, w] or [top, left, bottom, right]; absent or "auto": the
/// fallbacks, each on both sides.
Padding parse_padding(Fields& fields, int fallback_h, int fallback_w);

/// A key that is one number or [h, w], each within [low, high].
struct Pair {
  int h, w;
};
Pair parse_pair(Fields& fields, std::string_view key, int fallback, int low, int high);

/// Largest kernel or stride, and dilation, a config may ask for.
constexpr int kMaxWindow = 1024, kMaxDilation = 4096;

}  // namespace atrous
