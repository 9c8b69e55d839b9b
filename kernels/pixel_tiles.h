// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/device.h"

/// How the kernels that walk output pixels divide them: a block covers `slab` packs of channels (fastest, so
/// that a warp reads and writes whole lines) x a tile of `rows` x `columns` items. An item is an output
/// pixel, or several that one thread computes. Neighbouring items share their inputs through the block's L1
/// cache. No shared memory.
namespace atrous::cuda {

constexpr int kTileThreads = 256;

struct PixelTiles {
  int packs, slab, slabs;                      ///< of all channels, of a block, blocks along the channels
  int width, height;                           ///< items along a row, rows
  int columns, rows, column_tiles, row_tiles;  ///< of a tile, tiles

  std::int64_t blocks(std::int64_t images) const {
    return images * slabs * std::int64_t{column_tiles} * row_tiles;
  }
};

struct TilePosition {
  int image, row, column, pack;  ///< item, in items
  bool valid;                    ///< false for the threads a tile has too many
};

/// Balanced: no tile is much smaller than the others. All extents >= 1.
inline PixelTiles tile_pixels(std::int64_t packs, std::int64_t width, std::int64_t height) {
  constexpr int kSlab = 8, kRows = 4;
  auto ceil_div = [](int a, int b) { return a / b + (a % b != 0 ? 1 : 0); };
  PixelTiles t{};
  t.packs = static_cast<int>(packs), t.width = static_cast<int>(width), t.height = static_cast<int>(height);
  t.slabs = ceil_div(t.packs, kSlab);
  t.slab = ceil_div(t.packs, t.slabs);
  const int items = kTileThreads / t.slab, most = items / std::min(kRows, t.height);
  t.column_tiles = ceil_div(t.width, most);
  t.columns = ceil_div(t.width, t.column_tiles);
  t.row_tiles = ceil_div(t.height, items / t.columns);
  t.rows = ceil_div(t.height, t.row_tiles);
  return t;
}

/// The item of this thread, in a grid of blocks(images) x 1 x 1 blocks of kTileThreads.
ATROUS_DEVICE TilePosition locate(const PixelTiles& t) {
  unsigned block = blockIdx.x;
  const unsigned slab = block % t.slabs;
  block /= t.slabs;
  const unsigned column_tile = block % t.column_tiles;
  block /= t.column_tiles;
  const int item = threadIdx.x / t.slab;
  TilePosition at;
  at.image = block / t.row_tiles;
  at.pack = slab * t.slab + threadIdx.x % t.slab;
  at.row = block % t.row_tiles * t.rows + item / t.columns;
  at.column = column_tile * t.columns + item % t.columns;
  at.valid = item < t.rows * t.columns && at.pack < t.packs && at.row < t.height && at.column < t.width;
  return at;
}

}  // namespace atrous::cuda
