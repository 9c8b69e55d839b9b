// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/large_vector.h"
#include "core/parallel.h"

namespace atrous {

inline constexpr int kMostLabels = 256;  ///< that a row can hold

/// Rows of labels in half precision (IEEE binary16), one a point or vertex, in blocks of eight labels: block
/// after block, and in it row after row. Where a block is not needed its memory is not touched.
class LabelRows {
 public:
  static constexpr int kBlock = 8;
  static constexpr int kMostBlocks = kMostLabels / kBlock;

  static int blocks_of(int labels) { return (labels + kBlock - 1) / kBlock; }

  /// Values are not initialised.
  LabelRows(std::int64_t rows, int labels)
      : rows_(rows), values_(static_cast<std::size_t>(rows * blocks_of(labels) * kBlock)) {}

  void clear() {
    parallel_blocks(std::ssize(values_), [&](std::int64_t begin, std::int64_t end) {
      std::fill(values_.begin() + begin, values_.begin() + end, std::uint16_t{0});
    });
  }

  std::int64_t rows() const { return rows_; }
  std::uint16_t* block(int b) { return values_.data() + b * rows_ * kBlock; }
  const std::uint16_t* block(int b) const { return values_.data() + b * rows_ * kBlock; }

 private:
  std::int64_t rows_;
  LargeVector<std::uint16_t> values_;
};

}  // namespace atrous
