// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "import/array.h"

/// ONNX's rules for extents, for constants and for values alike. All throw Error{bad_file} without a place.
namespace atrous {

/// An axis that may count from the back, as an index below `rank`.
std::size_t axis_index(std::int64_t axis, std::size_t rank);
/// Reshape's target with its 0 (as it was; with `allow_zero` an extent of 0) and -1 (the rest) resolved.
Dims reshaped_dims(const Dims& dims, const Dims& target, bool allow_zero);
Dims flattened_dims(const Dims& dims, std::int64_t axis);
/// Without `axes`: all extents of 1 go.
Dims squeezed_dims(const Dims& dims, const std::optional<Dims>& axes);
Dims unsqueezed_dims(const Dims& dims, const Dims& axes);
/// A permutation of `rank` axes; empty means back to front.
Dims checked_permutation(Dims perm, std::size_t rank);
/// What two values broadcast to.
Dims broadcast_dims(const Dims& a, const Dims& b);

/// The elements begin, begin + step, ... of an axis, `count` of them.
struct SliceRange {
  std::size_t axis;
  std::int64_t begin, step, count;
};
/// Slice's numbers for one axis of `extent` elements; bounds beyond it are moved to it.
SliceRange slice_range(std::size_t axis, std::int64_t extent, std::int64_t begin, std::int64_t end,
                       std::int64_t step);

}  // namespace atrous
