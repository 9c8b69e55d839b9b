// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/types.h"
#include "import/array.h"

namespace atrous {

/// How the dimensions of an ONNX value lie on the engine's n, h, w and c: a text of these letters a
/// dimension, the slowest first. {"n","c","h","w"} is the usual one, {"n","chw"} what Flatten makes of it, ""
/// a dimension of 1 that stands for nothing. Every letter whose extent is not 1 stands in one of them.
class Layout {
 public:
  Layout() = default;
  explicit Layout(std::vector<std::string> letters) : letters_(std::move(letters)) {}
  static Layout nchw() { return Layout({"n", "c", "h", "w"}); }

  std::size_t rank() const { return letters_.size(); }
  const std::string& operator[](std::size_t axis) const { return letters_[axis]; }
  Dims dims(const Shape& shape) const;

  /// Dimension i is dimension perm[i] of this one; `perm` must be a permutation.
  Layout transposed(const Dims& perm) const;
  /// Of the value with other extents and the same order of elements; nullopt where that would split a letter.
  std::optional<Layout> reshaped(const Shape& shape, const Dims& dims) const;
  /// Whether these letters are what is there but for letters of extent 1, e.g. {"n","c","h","w"}.
  bool is(const Shape& shape, const std::vector<std::string>& letters) const;
  /// The axis that is exactly `letter` ('c'), or nullopt.
  std::optional<std::size_t> axis_of(const Shape& shape, char letter) const;
  /// The letters of an axis whose extent is not 1.
  std::string used(const Shape& shape, std::size_t axis) const;
  /// The layout of a value that broadcasts with another, numpy's way; nullopt where the engine cannot do
  /// that.
  static std::optional<Layout> broadcast(const Layout& a, const Shape& a_shape, const Layout& b,
                                         const Shape& b_shape);

 private:
  std::vector<std::string> letters_;
};

std::string to_string(const Layout& layout);  ///< "n,c,h,w"

}  // namespace atrous
