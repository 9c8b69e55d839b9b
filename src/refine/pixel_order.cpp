// SPDX-License-Identifier: Apache-2.0
#include "refine/pixel_order.h"

#include <algorithm>

namespace atrous {
namespace {

struct Curve {
  int width, height;
  std::int32_t* to;

  /// The pixels of a square whose side is 8 times a power of 2.
  void visit(int left, int top, int side) {
    if (left >= width || top >= height) return;
    const int half = side / 2;
    if (side > 8) {
      visit(left, top, half), visit(left + half, top, half);
      visit(left, top + half, half), visit(left + half, top + half, half);
      return;
    }
    for (int y = top; y < std::min(top + side, height); ++y)
      for (int x = left; x < std::min(left + side, width); ++x) *to++ = y * width + x;
  }
};

}  // namespace

LargeVector<std::int32_t> pixel_order(int width, int height) {
  LargeVector<std::int32_t> order(static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
  int side = 8;
  while (side < std::max(width, height)) side *= 2;
  Curve{width, height, order.data()}.visit(0, 0, side);
  return order;
}

}  // namespace atrous
