// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/value.h"

namespace atrous {

using Rgb = std::array<std::uint8_t, 3>;

struct LabelClass {
  std::string name;
  Rgb color{};
};

/// The classes a model tells apart; the index is the class id. At most 255, since id 255 means "ignore".
struct LabelSet {
  std::string name;
  std::vector<LabelClass> classes;
  std::vector<std::pair<int, int>>
      flip_pairs;  ///< ids that swap when a photo is mirrored (left and right shoe)
  /// Which class takes in a name of the data set the labels were merged from.
  std::vector<std::pair<std::string, int>> merge;

  int size() const { return static_cast<int>(classes.size()); }
  int find(std::string_view class_name) const;  ///< its id, or -1
};

constexpr std::uint8_t kIgnore = 255;
constexpr Rgb kIgnoreColor{224, 224, 192};

/// Colour of a class in the PASCAL VOC colour map (the id's bits, interleaved over R, G and B from the top
/// bit down).
Rgb voc_color(int id);

/// From the map of a label file or of a config's `labels:` key. A class without a colour gets voc_color(id).
LabelSet parse_labels(const Value& map);
/// `class 0` ... `class N-1` with the VOC colours, for scores that come without names.
LabelSet numbered_labels(int classes);

}  // namespace atrous
