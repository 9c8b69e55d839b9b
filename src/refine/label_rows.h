// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/large_vector.h"
#include "core/parallel.h"

namespace atrous {

inline constexpr int kMostLabels = 256;  ///< that a row can hold

/// Rows of labels in half precision (IEEE binary16), one a point or vertex, in blocks of equal width that fit
/// a cache line: 8, 16, 24 or 32 labels. Block after block, and in it row after row; where a block is not
/// needed its memory is not touched.
class LabelRows {
 public:
  static constexpr int kEight = 8, kWidest = 32, kMostBlocks = kMostLabels / kWidest;

  static int blocks_of(int labels) { return (labels + kWidest - 1) / kWidest; }
  static int width_of(int labels) {
    const int eights = (labels + kEight - 1) / kEight, blocks = blocks_of(labels);
    return (eights + blocks - 1) / blocks * kEight;
  }

  /// Of all blocks together: the labels and what fills the last block.
  static int padded(int labels) { return blocks_of(labels) * width_of(labels); }

  /// Values are not initialised.
  LabelRows(std::int64_t rows, int labels)
      : rows_(rows), width_(width_of(labels)), values_(static_cast<std::size_t>(rows * padded(labels))) {}

  /// The blocks from `first` on become 0.
  void clear(int first = 0) {
    std::uint16_t* const from = block(first);
    parallel_blocks(values_.data() + values_.size() - from, [&](std::int64_t begin, std::int64_t end) {
      std::fill(from + begin, from + end, std::uint16_t{0});
    });
  }

  int width() const { return width_; }
  std::uint16_t* block(int b) { return values_.data() + b * rows_ * width_; }
  const std::uint16_t* block(int b) const { return values_.data() + b * rows_ * width_; }

 private:
  std::int64_t rows_;
  int width_;
  LargeVector<std::uint16_t> values_;
};

}  // namespace atrous
