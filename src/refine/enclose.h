// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "refine/lattice_key.h"

namespace atrous {

inline constexpr float kLargestFeature = 70'000;  ///< for whose simplex a key has room

/// The simplex of the permutohedral lattice around each of `count` points of d features (1 to 5): the keys
/// and barycentric weights of its d+1 vertices, point after point. Features must be within +-kLargestFeature.
void enclose_points(const float* features, int d, std::int64_t count, LatticeKey* keys, float* weights);

}  // namespace atrous
