// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/tensor_ref.h"

namespace atrous {

using Dims = std::vector<std::int64_t>;

/// A constant of a graph that is imported, C order: real numbers (f32, in memory that the model's file may
/// own) or whole ones.
class Array {
 public:
  static Array reals(Dims dims, std::vector<float> values);
  static Array reals(TensorRef tensor);  ///< of type f32
  static Array wholes(Dims dims, std::vector<std::int64_t> values);

  const Dims& dims() const { return tensor_.dims; }
  std::int64_t count() const { return tensor_.elements(); }
  bool is_whole() const { return tensor_.data == nullptr; }
  const TensorRef& tensor() const { return tensor_; }  ///< of real numbers
  double at(std::int64_t index) const;
  std::int64_t whole(std::int64_t index) const;  ///< real numbers lose their fraction, within +-2^53
  std::vector<float> read() const;
  std::vector<std::int64_t> read_wholes() const;

  /// The same elements with other extents, as many.
  Array reshaped(Dims dims) const;
  /// Element (i, j, ...) is the one at offset + i * strides[0] + j * strides[1] + ... of this.
  Array strided(Dims dims, const Dims& strides, std::int64_t offset) const;
  /// Along `axis`; other extents and kinds must agree.
  static Array concat(std::span<const Array> parts, std::size_t axis);

 private:
  TensorRef tensor_;  ///< without data: of whole numbers
  std::vector<std::int64_t> wholes_;
};

/// Product of the extents; throws Error{bad_file} where one is below 0 or it does not fit.
std::int64_t checked_count(const Dims& dims);
/// Elements from one index to the next, an axis.
Dims strides_of(const Dims& dims);

}  // namespace atrous
