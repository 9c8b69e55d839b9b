// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/winograd_tiles.h"

#include <algorithm>

#include "backend/cpu/gemm_tile.h"

namespace atrous {

WinogradTiles::Axis::Axis(Winograd winograd, std::int64_t extent, std::int64_t rate) {
  for (std::int64_t phase = 0; phase < std::min(rate, extent); ++phase)
    for (std::int64_t first = phase; first < extent; first += winograd.outputs * rate)
      starts.push_back(first);
  full = winograd.spares_singles() ? std::clamp<std::int64_t>(extent - rate, 0, all()) : all();
}

WinogradTiles::WinogradTiles(Winograd winograd, const Shape& out, std::int64_t row_rate,
                             std::int64_t column_rate)
    : winograd_(winograd),
      images_(out.n),
      rows_(winograd, out.h, row_rate),
      columns_(winograd, out.w, column_rate) {}

/// Row by row the tiles with full columns, then those with others.
WinogradTiles::Place WinogradTiles::place(std::int64_t tile) const {
  const std::int64_t n = tile / (rows_.all() * columns_.all()), i = tile % (rows_.all() * columns_.all()),
                     full = columns_.full, others = columns_.all() - full, other = i - rows_.all() * full;
  return other < 0 ? Place{n, i / full, i % full} : Place{n, other / others, full + other % others};
}

WinogradTiles::Start WinogradTiles::start(std::int64_t tile) const {
  const Place at = place(tile);
  return {at.n, rows_.starts[static_cast<std::size_t>(at.row)],
          columns_.starts[static_cast<std::size_t>(at.column)]};
}

std::uint64_t WinogradTiles::products(std::int64_t tile) const {
  const Place at = place(tile);
  const int size = winograd_.axis_products(), rows = at.row < rows_.full ? size : 1,
            columns = at.column < columns_.full ? size : 1;
  std::uint64_t bits = 0;
  for (int row = 0; row < rows; ++row) bits |= ((std::uint64_t{1} << columns) - 1) << (row * size);
  return bits;
}

std::vector<std::uint64_t> WinogradTiles::strips(std::int64_t rows) const {
  std::vector<std::uint64_t> taken(static_cast<std::size_t>(ceil_div(count(), rows)));
  if (!winograd_.spares_singles())
    std::fill(taken.begin(), taken.end(), (std::uint64_t{1} << winograd_.products()) - 1);
  else
    for (std::int64_t tile = 0; tile < count(); ++tile)
      taken[static_cast<std::size_t>(tile / rows)] |= products(tile);
  return taken;
}

}  // namespace atrous
