// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace atrous {

/// Somebody else's 8-bit RGB pixels: row y starts at data + y*stride bytes, three bytes (R, G, B) a pixel.
struct ImageView {
  const std::uint8_t* data = nullptr;
  int width = 0, height = 0;
  std::ptrdiff_t stride = 0;

  const std::uint8_t* row(int y) const { return data + y * stride; }
};

/// Owned 8-bit RGB pixels, rows without gaps.
struct Image {
  int width = 0, height = 0;
  std::vector<std::uint8_t> rgb;

  ImageView view() const { return {rgb.data(), width, height, std::ptrdiff_t{3} * width}; }
};

/// Whole pixels of a photo, all within it.
struct Crop {
  int x = 0, y = 0, width = 0, height = 0;
  bool operator==(const Crop&) const = default;
};

/// That part of the photo, in the photo's memory.
inline ImageView cut(const ImageView& photo, const Crop& crop) {
  return {photo.row(crop.y) + std::ptrdiff_t{3} * crop.x, crop.width, crop.height, photo.stride};
}

/// A rectangle of a photo, in pixels: (x, y) is its top left corner, pixel (i, j) covers [i, i+1) x [j, j+1).
struct PhotoBox {
  double x = 0, y = 0, width = 0, height = 0;
};

/// The network's input value of every 8-bit level, by channel of the input: value = (level * scale - mean) /
/// std.
struct PixelTable {
  std::array<std::array<float, 256>, 3> value{};
  bool bgr = false;  ///< the input's channel 0 is blue
};

/// One class id a pixel, row by row. 255 is the "ignore" id.
struct LabelMap {
  int width = 0, height = 0;
  std::vector<std::uint8_t> ids;
};

/// Pixels of each id, 256 of them.
inline std::vector<std::int64_t> count_pixels(const LabelMap& labels) {
  std::vector<std::int64_t> counts(256);
  for (std::uint8_t id : labels.ids) ++counts[id];
  return counts;
}

/// Scores of every class at every pixel, [height, width, classes] with the class fastest. Whether they are
/// logits, probabilities or unary energies (-log p) is said where a map is passed.
struct ScoreMap {
  int width = 0, height = 0, classes = 0;
  std::vector<float> values;

  std::size_t pixels() const { return static_cast<std::size_t>(width) * static_cast<std::size_t>(height); }
  float* pixel(std::size_t i) { return values.data() + i * static_cast<std::size_t>(classes); }
  const float* pixel(std::size_t i) const { return values.data() + i * static_cast<std::size_t>(classes); }
};

}  // namespace atrous
