// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ops/params.h"
#include "ops/schema.h"

namespace atrous {

/// Explicit padding of a window operator on an input of this extent: `same` resolved, else a copy.
Padding resolve_padding(const Padding& padding, const Shape& input, int kh, int kw, int sh, int sw, int dh, int dw);

/// floor((in + pads - (d*(k-1)+1)) / s) + 1, or the ceil rule of Pool2dParams. Throws Error{bad_config} where the
/// window does not fit.
std::int64_t window_extent(std::int64_t in, int k, int s, int d, int pad_begin, int pad_end, bool ceil_mode);

/// The keys `padding` ("same", one number, [h, w] or [top, left, bottom, right]), as every window operator has them.
Padding parse_padding(Fields& fields);

/// A key that is one number or [h, w], each at least `low`.
struct Pair {
  int h, w;
};
Pair parse_pair(Fields& fields, std::string_view key, int fallback, int low);

}  // namespace atrous
