// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <random>
#include <vector>

#include "core/image.h"

namespace atrous::test {

/// Label maps of every kind that outlines find hard: noise of several densities, checkerboards, blocks,
/// single rows and columns; ids 0 to 3 and 255 (ignore).
inline std::vector<LabelMap> random_labels(unsigned seed) {
  std::mt19937 random(seed);
  std::vector<LabelMap> maps;
  auto make = [&](int width, int height, auto id_of) {
    LabelMap map{width, height, {}};
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) map.ids.push_back(static_cast<std::uint8_t>(id_of(x, y)));
    maps.push_back(map);
  };
  for (const auto& [width, height] : {std::pair{1, 1}, {1, 9}, {13, 1}, {2, 2}, {3, 3}, {17, 12}, {40, 33}}) {
    make(width, height, [](int x, int y) { return (x + y) % 2; });
    make(width, height, [](int, int) { return 2; });
    make(width, height, [](int, int) { return 255; });
    for (const unsigned share : {2U, 3U, 5U, 12U})
      make(width, height, [&](int, int) { return random() % share == 0 ? 1 : 0; });
    make(width, height, [&](int, int) { return random() % 5U == 4 ? 255 : random() % 4U; });
    make(width, height,
         [&](int x, int y) { return (x / 5 + y / 4 + static_cast<int>(random() % 9U == 0)) % 4; });
  }
  for (int i = 0; i < 200; ++i) make(5, 4, [&](int, int) { return random() % 2U; });
  return maps;
}

}  // namespace atrous::test
