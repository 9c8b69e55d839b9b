// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "refine/lattice_key.h"

namespace atrous {

inline constexpr float kLargestFeature = 70'000;  ///< for whose simplex a key has room

/// The simplices of the permutohedral lattice around points of d features, 1 to kMostDimensions.
struct Simplices {
  static constexpr int kMostDimensions = 5, kMostPoints = 64;

  /// Of each point: the first d coordinates of the vertex whose coordinates are multiples of d+1.
  std::int32_t base[kMostDimensions][kMostPoints];
  /// The ranks of the d+1 coordinates by how far the point's exceed that vertex's, 3 bits each.
  std::int32_t ranks[kMostPoints];
  /// The point's barycentric weights in the d+1 vertices, in corners()' order.
  float weights[kMostDimensions + 1][kMostPoints];

  /// The same for points in the same simplex, and for no others.
  using Name = std::array<std::int32_t, kMostDimensions + 1>;
  Name name(int d, int i) const {
    Name name{ranks[i]};
    for (int k = 0; k < d; ++k) name[static_cast<std::size_t>(k + 1)] = base[k][i];
    return name;
  }
  /// The vertices of point i's simplex.
  void corners(int d, int i, LatticeKey* keys) const;
};

/// Of `count` points, at most Simplices::kMostPoints. Feature j of point i is at [j * kMostPoints + i], where
/// kMostPoints of each can be read; features must be within +-kLargestFeature.
void enclose_points(const float* features, int d, int count, Simplices& simplices);

}  // namespace atrous
