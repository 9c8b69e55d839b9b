// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "core/large_vector.h"

namespace atrous {

inline constexpr int kMostLabels = 256;  ///< that a row can hold

/// Rows of values, one a point or vertex: blocks x 8 labels in half (IEEE binary16) or single precision;
/// whole blocks, so that no vector straddles two rows.
class LabelRows {
 public:
  static constexpr int kBlock = 8;

  LabelRows(std::int64_t count, int labels, bool half)
      : blocks_((labels + kBlock - 1) / kBlock), half_(half) {
    const auto values = static_cast<std::size_t>(count * pitch());
    half ? halves_.resize(values) : singles_.resize(values);
  }

  void clear() {
    std::fill(halves_.begin(), halves_.end(), std::uint16_t{0});
    std::fill(singles_.begin(), singles_.end(), 0.0F);
  }

  std::int64_t count() const {
    return static_cast<std::int64_t>(half_ ? halves_.size() : singles_.size()) / pitch();
  }
  int blocks() const { return blocks_; }
  int pitch() const { return blocks_ * kBlock; }  ///< values a row
  bool half() const { return half_; }
  std::uint16_t* halves() { return halves_.data(); }
  const std::uint16_t* halves() const { return halves_.data(); }
  float* singles() { return singles_.data(); }
  const float* singles() const { return singles_.data(); }

  /// Rows of the labels kept[0], kept[1], ... alone, padded with `padding`.
  LabelRows narrowed(std::span<const int> kept, float padding) const;

  /// f(pointer to the first value)
  template <typename F>
  void visit(const F& f) {
    half_ ? f(halves()) : f(singles());
  }

 private:
  int blocks_;
  bool half_;
  LargeVector<std::uint16_t> halves_;
  LargeVector<float> singles_;
};

}  // namespace atrous
