// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/receptive_field.h"
#include "image/preprocess.h"

namespace atrous {

/// How images that do not fit are cut.
struct TileOptions {
  int size = 0;  ///< most pixels of the network's input along an axis of a tile; 0: no tiles
  /// Pixels of the network's input that neighbours share at least; none: TileNeeds::overlap where tiles
  /// then equal the whole photo and half a tile holds it, else that or a quarter of a tile.
  std::optional<int> overlap;
};

/// Elements [begin, end) of an axis.
struct Interval {
  int begin = 0, end = 0;
  int size() const { return end - begin; }
  bool operator==(const Interval&) const = default;
};

/// One pass of the network over a photo, at a scale and perhaps mirrored, and the windows of its input.
struct Pass {
  Geometry geometry;  ///< of all of the photo
  bool flip = false;  ///< the input is the scaled photo mirrored left to right
  int window_width = 0, window_height = 0;
  std::vector<int> columns, rows;  ///< where the windows of the tiles begin
};

/// How a photo goes through the network: tiles, those of a row side by side; one of all of it where nothing
/// is cut. The tile in column i and row j reads the window at (columns[i], rows[j]) of every pass.
struct TilePlan {
  std::vector<Interval> columns, rows;            ///< of the photo: what is taken from each tile
  std::vector<Interval> seen_columns, seen_rows;  ///< that and half an overlap around: what refinement sees
  std::vector<Pass> passes;
  Ratio column_stride, row_stride;  ///< pixels of the network's input an element of its scores

  std::size_t count() const { return columns.size() * rows.size(); }
};

/// The plan without tiles, for a photo of that size. Throws as plan_geometry.
TilePlan whole_photo(const InputSpec& input, int width, int height, std::span<const double> scales,
                     bool flip);

/// What tiles of a network need.
struct TileNeeds {
  ReceptiveField field;  ///< of the scores
  int period = 1;        ///< windows begin at multiples of it
  int overlap = 0;       ///< at which tiles equal the whole photo, unless field.global
};

/// `fields` is that of `graph`, without a refusal; `nominal` an input extent that the graph accepts.
TileNeeds tile_needs(const Graph& graph, const ReceptiveFields& fields, const Shape& nominal);

/// Cuts photos for one network. The photo keeps its own resolution (times a scale), whatever size the config
/// asks for. All windows of a pass have one extent, and begin where the network's strides do, so that a
/// window's scores are those of the whole input wherever they do not see the window's border. Each pixel is
/// taken from the tile whose border is the farthest.
class Tiling {
 public:
  /// Throws Error{unsupported} for a network that a window of the input cannot go through, and
  /// Error{invalid_argument} where the sizes leave nothing of a tile.
  Tiling(const Graph& graph, const InputSpec& input, const TileOptions& options);

  /// Throws as plan_geometry.
  TilePlan plan(int width, int height, std::span<const double> scales, bool flip) const;

  int overlap() const { return overlap_; }
  /// Why labels may differ from those of the whole photo near the borders of tiles; "" where they do not.
  std::string note() const;

 private:
  TilePlan plan_as(const InputSpec& input, int width, int height, std::span<const double> scales,
                   bool flip) const;

  const Graph& graph_;
  InputSpec input_;  ///< the config's, at the photo's own size
  ReceptiveFields fields_;
  TileNeeds needs_;
  int size_ = 0, overlap_ = 0;
};

}  // namespace atrous
