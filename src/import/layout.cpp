// SPDX-License-Identifier: Apache-2.0
#include "import/layout.h"

#include <algorithm>

namespace atrous {
namespace {

std::int64_t extent_of(const Shape& shape, char letter) {
  return letter == 'n' ? shape.n : letter == 'h' ? shape.h : letter == 'w' ? shape.w : shape.c;
}

std::string without_ones(const Shape& shape, const std::string& letters) {
  std::string used;
  for (char letter : letters)
    if (extent_of(shape, letter) != 1) used += letter;
  return used;
}

}  // namespace

std::string to_string(const Layout& layout) {
  std::string text;
  for (std::size_t i = 0; i < layout.rank(); ++i)
    text += (i == 0 ? "" : ",") + (layout[i].empty() ? "1" : layout[i]);
  return text;
}

Dims Layout::dims(const Shape& shape) const {
  Dims dims;
  for (const std::string& letters : letters_) {
    std::int64_t extent = 1;
    for (char letter : letters) extent *= extent_of(shape, letter);
    dims.push_back(extent);
  }
  return dims;
}

Layout Layout::transposed(const Dims& perm) const {
  std::vector<std::string> letters;
  for (std::int64_t axis : perm) letters.push_back(letters_[static_cast<std::size_t>(axis)]);
  return Layout(std::move(letters));
}

std::string Layout::used(const Shape& shape, std::size_t axis) const {
  return without_ones(shape, letters_[axis]);
}

std::optional<Layout> Layout::reshaped(const Shape& shape, const Dims& dims) const {
  std::string all;
  for (const std::string& letters : letters_) all += without_ones(shape, letters);
  std::vector<std::string> result;
  std::size_t at = 0;
  for (std::int64_t extent : dims) {
    std::string letters;
    for (std::int64_t got = 1; got != extent;) {
      if (at == all.size() || got > extent) return std::nullopt;
      letters += all[at];
      got *= extent_of(shape, all[at++]);
    }
    result.push_back(letters);
  }
  return at == all.size() ? std::optional(Layout(std::move(result))) : std::nullopt;
}

bool Layout::is(const Shape& shape, const std::vector<std::string>& letters) const {
  if (letters.size() != rank()) return false;
  for (std::size_t i = 0; i < rank(); ++i)
    if (used(shape, i) != without_ones(shape, letters[i])) return false;
  return true;
}

std::optional<std::size_t> Layout::axis_of(const Shape& shape, char letter) const {
  std::optional<std::size_t> unit;
  for (std::size_t i = 0; i < rank(); ++i) {
    if (used(shape, i) == std::string(1, letter)) return i;
    if (letters_[i] == std::string(1, letter)) unit = i;
  }
  return unit;
}

std::optional<Layout> Layout::broadcast(const Layout& a, const Shape& a_shape, const Layout& b,
                                        const Shape& b_shape) {
  const Layout& longer = a.rank() >= b.rank() ? a : b;
  std::vector<std::string> letters = longer.letters_;
  for (std::size_t back = 1; back <= std::min(a.rank(), b.rank()); ++back) {
    const std::size_t i = a.rank() - back, j = b.rank() - back;
    const std::string used_a = a.used(a_shape, i), used_b = b.used(b_shape, j);
    if (!used_a.empty() && !used_b.empty() && used_a != used_b) return std::nullopt;
    letters[letters.size() - back] = !used_a.empty()         ? a.letters_[i]
                                     : b.letters_[j].empty() ? a.letters_[i]
                                                             : b.letters_[j];
  }
  return Layout(std::move(letters));
}

}  // namespace atrous
