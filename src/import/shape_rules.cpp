// SPDX-License-Identifier: Apache-2.0
#include "import/shape_rules.h"

#include <algorithm>

#include "core/error.h"

namespace atrous {

std::size_t axis_index(std::int64_t axis, std::size_t rank) {
  const auto size = static_cast<std::int64_t>(rank);
  if (axis < -size || axis >= size)
    fail(ErrorCode::bad_file, "axis {} of a tensor of {} dimensions", axis, rank);
  return static_cast<std::size_t>(axis < 0 ? axis + size : axis);
}

Dims reshaped_dims(const Dims& dims, const Dims& target, bool allow_zero) {
  Dims result = target;
  std::optional<std::size_t> open;
  for (std::size_t i = 0; i < result.size(); ++i) {
    if (result[i] == 0 && !allow_zero) result[i] = i < dims.size() ? dims[i] : -2;
    if (result[i] == -1) {
      if (open) fail(ErrorCode::bad_file, "the shape {} leaves two extents open", dims_to_string(target));
      open = i;
      result[i] = 1;
    }
  }
  const std::int64_t have = checked_count(dims), rest = checked_count(result);
  if (open && rest > 0 && have % rest == 0) result[*open] = have / rest;
  if (checked_count(result) != have)
    fail(ErrorCode::bad_file, "{} cannot be reshaped to {}", dims_to_string(dims), dims_to_string(target));
  return result;
}

Dims flattened_dims(const Dims& dims, std::int64_t axis) {
  const auto rank = static_cast<std::int64_t>(dims.size());
  const std::size_t split = axis == rank ? dims.size() : axis_index(axis, dims.size());
  const auto middle = dims.begin() + static_cast<std::ptrdiff_t>(split);
  return {checked_count(Dims(dims.begin(), middle)), checked_count(Dims(middle, dims.end()))};
}

Dims squeezed_dims(const Dims& dims, const std::optional<Dims>& axes) {
  std::vector<bool> gone(dims.size());
  for (std::size_t i = 0; i < dims.size(); ++i) gone[i] = !axes && dims[i] == 1;
  if (axes)
    for (std::int64_t axis : *axes) {
      const std::size_t i = axis_index(axis, dims.size());
      if (dims[i] != 1) fail(ErrorCode::bad_file, "squeezes axis {} of {}", axis, dims_to_string(dims));
      gone[i] = true;
    }
  Dims result;
  for (std::size_t i = 0; i < dims.size(); ++i)
    if (!gone[i]) result.push_back(dims[i]);
  return result;
}

Dims unsqueezed_dims(const Dims& dims, const Dims& axes) {
  const std::size_t rank = dims.size() + axes.size();
  std::vector<bool> is_new(rank);
  for (std::int64_t axis : axes) {
    const std::size_t i = axis_index(axis, rank);
    if (is_new[i]) fail(ErrorCode::bad_file, "names axis {} twice", axis);
    is_new[i] = true;
  }
  Dims result;
  auto old = dims.begin();
  for (std::size_t i = 0; i < rank; ++i) result.push_back(is_new[i] ? 1 : *old++);
  return result;
}

Dims checked_permutation(Dims perm, std::size_t rank) {
  if (perm.empty())
    for (std::size_t i = rank; i-- > 0;) perm.push_back(static_cast<std::int64_t>(i));
  Dims sorted = perm;
  std::sort(sorted.begin(), sorted.end());
  bool good = perm.size() == rank;
  for (std::size_t i = 0; good && i < rank; ++i) good = sorted[i] == static_cast<std::int64_t>(i);
  if (!good) fail(ErrorCode::bad_file, "{} is no order of {} axes", dims_to_string(perm), rank);
  return perm;
}

Dims broadcast_dims(const Dims& a, const Dims& b) {
  Dims result = a.size() >= b.size() ? a : b;
  for (std::size_t back = 1; back <= std::min(a.size(), b.size()); ++back) {
    const std::int64_t x = a[a.size() - back], y = b[b.size() - back];
    if (x != y && x != 1 && y != 1)
      fail(ErrorCode::bad_file, "{} and {} do not broadcast", dims_to_string(a), dims_to_string(b));
    result[result.size() - back] = x == 1 ? y : x;
  }
  return result;
}

SliceRange slice_range(std::size_t axis, std::int64_t extent, std::int64_t begin, std::int64_t end,
                       std::int64_t step) {
  if (step == 0) fail(ErrorCode::bad_file, "slices in steps of 0");
  if (extent == 0) return {axis, 0, 1, 0};
  // Beyond +-2^40 lies no extent, so that sums below cannot overflow.
  auto bound = [&](std::int64_t at, std::int64_t low, std::int64_t high) {
    at = std::clamp<std::int64_t>(at, -(std::int64_t{1} << 41), std::int64_t{1} << 41);
    return std::clamp(at < 0 ? at + extent : at, low, high);
  };
  step = std::clamp<std::int64_t>(step, -(std::int64_t{1} << 41), std::int64_t{1} << 41);
  if (step > 0) {
    begin = bound(begin, 0, extent), end = bound(end, 0, extent);
    return {axis, begin, step, end > begin ? (end - begin + step - 1) / step : 0};
  }
  begin = bound(begin, 0, extent - 1), end = bound(end, -1, extent - 1);
  return {axis, begin, step, begin > end ? (begin - end - step - 1) / -step : 0};
}

}  // namespace atrous
