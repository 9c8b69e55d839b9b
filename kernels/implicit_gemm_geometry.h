// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/taps.h"

/// A convolution as a matrix product: rows are output pixels, columns output channels, and the sum runs over
/// taps and input channels. A tile of rows is a rectangle of pixels of one image, so that a tap whose input
/// lies wholly in the padding for one pixel of the tile tends to do so for all of them and can be skipped.
namespace atrous::cuda {

struct GemmGeometry {
  int images = 1;
  int ih = 1, iw = 1, ic = 1, in_pitch = 1;
  int oh = 1, ow = 1, oc = 1;
  int kh = 1, kw = 1, sh = 1, sw = 1, dh = 1, dw = 1, top = 0, left = 0;
  int weight_pitch = 1;  ///< elements from one output channel's weights to the next
  int tile_h = 1, tile_w = 1, tiles_y = 1,
      tiles_x = 1;  ///< rectangles of pixels, and how many cover an image
};

/// The taps of a tile, a rectangle of the kernel.
struct TileTaps {
  TapRange y, x;
  ATROUS_HOST_DEVICE int count() const { return y.count() * x.count(); }
};

/// Where a tile lies: its image, the first output row and column of its rectangle, the first output channel.
struct TilePlace {
  int image = 0, y = 0, x = 0, channel = 0;
};

/// Tile `index` of all rectangles, column block `column`.
ATROUS_HOST_DEVICE TilePlace place_tile(const GemmGeometry& g, int index, int first_channel) {
  const int row = index / g.tiles_x;
  return {row / g.tiles_y, row % g.tiles_y * g.tile_h, index % g.tiles_x * g.tile_w, first_channel};
}

ATROUS_HOST_DEVICE int smaller(int a, int b) { return a < b ? a : b; }

/// Taps that touch the input for output positions [begin, begin + count) along one axis. kEarly is 0; tests
/// narrow the input by that many elements, to prove that they notice a tap skipped too early.
template <int kEarly = 0>
ATROUS_HOST_DEVICE TapRange axis_taps(int begin, int count, int stride, int pad, int in, int k,
                                      int dilation) {
  const int low = begin * stride - pad, high = low + (count - 1) * stride;
  return touched_taps(low + kEarly, high - kEarly, in, k, dilation);
}

template <int kEarly = 0>
ATROUS_HOST_DEVICE TileTaps tile_taps(const GemmGeometry& g, const TilePlace& at) {
  return {axis_taps<kEarly>(at.y, smaller(g.tile_h, g.oh - at.y), g.sh, g.top, g.ih, g.kh, g.dh),
          axis_taps<kEarly>(at.x, smaller(g.tile_w, g.ow - at.x), g.sw, g.left, g.iw, g.kw, g.dw)};
}

}  // namespace atrous::cuda
