// SPDX-License-Identifier: Apache-2.0
#include "ops/window.h"

#include <algorithm>

#include "core/error.h"

namespace atrous {
namespace {

/// TensorFlow's SAME along one axis: the total padding that makes out = ceil(in / stride).
int same_total(std::int64_t in, int k, int s, int d) {
  const std::int64_t out = (in + s - 1) / s;
  return static_cast<int>(std::max<std::int64_t>(0, (out - 1) * s + std::int64_t{d} * (k - 1) + 1 - in));
}

}  // namespace

Padding resolve_padding(const Padding& padding, const Shape& input, int kh, int kw, int sh, int sw, int dh,
                        int dw) {
  if (!padding.same) return padding;
  const int vertical = same_total(input.h, kh, sh, dh), horizontal = same_total(input.w, kw, sw, dw);
  return {false, vertical / 2, horizontal / 2, vertical - vertical / 2, horizontal - horizontal / 2};
}

std::int64_t window_extent(std::int64_t in, int k, int s, int d, int pad_begin, int pad_end, bool ceil_mode) {
  const std::int64_t window = std::int64_t{d} * (k - 1) + 1, padded = in + pad_begin + pad_end;
  if (padded < window)
    fail(ErrorCode::bad_config, "a window of {} elements does not fit into {} (padding included)", window,
         padded);
  std::int64_t out = (padded - window) / s + 1;
  if (ceil_mode && (padded - window) % s != 0 && out * s < in + pad_begin) ++out;
  return out;
}

Padding parse_padding(Fields& fields, int fallback_h, int fallback_w) {
  constexpr std::int64_t kMost = 65536;
  const Value* value = fields.find("padding");
  if (value == nullptr || (value->kind == Value::Kind::scalar && value->scalar == "auto"))
    return {false, fallback_h, fallback_w, fallback_h, fallback_w};
  if (value->kind == Value::Kind::scalar && value->scalar == "same") return {true, 0, 0, 0, 0};
  std::vector<std::int64_t> given = fields.integers("padding");
  for (std::int64_t p : given)
    if (p < 0 || p > kMost)
      fields.complain(fmt::format("'padding' is {} but must lie between 0 and {}", p, kMost), value);
  auto at = [&](std::size_t i) { return static_cast<int>(given[i]); };
  if (given.size() == 1) return {false, at(0), at(0), at(0), at(0)};
  if (given.size() == 2) return {false, at(0), at(1), at(0), at(1)};
  if (given.size() == 4) return {false, at(0), at(1), at(2), at(3)};
  fields.complain("'padding' must be same, auto, one number, [h, w] or [top, left, bottom, right]", value);
}

Pair parse_pair(Fields& fields, std::string_view key, int fallback, int low, int high) {
  const Value* value = fields.find(key);
  if (value == nullptr) return {fallback, fallback};
  std::vector<std::int64_t> given = fields.integers(key);
  if (given.empty() || given.size() > 2)
    fields.complain(fmt::format("'{}' must be one number or [h, w]", key), value);
  for (std::int64_t v : given)
    if (v < low || v > high)
      fields.complain(fmt::format("'{}' is {} but must lie between {} and {}", key, v, low, high), value);
  return {static_cast<int>(given.front()), static_cast<int>(given.back())};
}

}  // namespace atrous
