// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "config/labels.h"
#include "core/image.h"

namespace atrous {

/// A corner of pixels: pixel (i, j) covers [i, i+1) x [j, j+1), y goes down.
struct PixelCorner {
  int x = 0, y = 0;
  bool operator==(const PixelCorner&) const = default;
};

/// A closed path along pixel edges, only the corners where it turns; the last joins the first. No corner
/// comes twice.
using Ring = std::vector<PixelCorner>;

/// A connected part of a class (pixels that share an edge) and its holes. Computed from the coordinates as
/// they are, the exterior has a positive area and holes a negative one: what RFC 7946 calls counterclockwise
/// and clockwise. Rings meet others in single corners at most.
struct PixelPolygon {
  Ring exterior;
  std::vector<Ring> holes;
};

/// The parts of every id, 256 lists, parts in the order of their first pixels, row by row.
std::vector<std::vector<PixelPolygon>> trace_polygons(const LabelMap& labels);

/// A GeoJSON FeatureCollection in pixel coordinates: a feature a class present, by rising id, with the
/// properties category_id, category_name and area (pixels) and a MultiPolygon of all its parts and holes.
/// Filling them gives the label map back. The member "image" has file_name, width and height. Ids outside the
/// set, 255 (ignore) among them, are left out.
std::string encode_polygons(const LabelMap& labels, const LabelSet& set, const std::string& file_name);

}  // namespace atrous
