// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "backend/cpu/winograd_transform.h"
#include "core/types.h"

namespace atrous {

/// The tiles that cover the outputs of a batch of maps at these rates: a map at rate r is r*r maps, its
/// phases, whose pixels stand r apart, and each has tiles of its own.
class WinogradTiles {
 public:
  WinogradTiles(Winograd winograd, const Shape& out, std::int64_t row_rate, std::int64_t column_rate);

  std::int64_t count() const { return images_ * rows_.all() * columns_.all(); }

  /// The first output of a tile; the others are a rate apart, as far as the map reaches.
  struct Start {
    std::int64_t n, y, x;
  };
  Start start(std::int64_t tile) const;

  /// The products, a bit each, that each strip of `rows` tiles takes: the others are 0 or not wanted. Tiles
  /// that take the same lie together, within an image.
  std::vector<std::uint64_t> strips(std::int64_t rows) const;

 private:
  struct Axis {
    Axis(Winograd winograd, std::int64_t extent, std::int64_t rate);
    std::int64_t all() const { return static_cast<std::int64_t>(starts.size()); }

    std::vector<std::int64_t> starts;
    std::int64_t full;  ///< of the tiles, the first, which take all products of this axis
  };
  struct Place {
    std::int64_t n, row, column;
  };
  Place place(std::int64_t tile) const;
  std::uint64_t products(std::int64_t tile) const;

  Winograd winograd_;
  std::int64_t images_;
  Axis rows_, columns_;
};

}  // namespace atrous
