// SPDX-License-Identifier: Apache-2.0
#include "refine/enclose.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/parallel.h"

namespace atrous {
namespace {

constexpr int kLanes = 16;  // points at a time
template <typename T>
using Lanes = std::array<T, kLanes>;

/// Of kLanes points: by coordinate, the nearest point of the lattice whose coordinates are multiples of d+1,
/// how many coordinates differ more from theirs, and the difference as a share of d+1.
template <int D>
struct Enclosed {
  std::array<Lanes<std::int32_t>, D + 1> base, rank;
  std::array<Lanes<float>, D + 1> rest;
};

/// Adams, Baek and Davis 2010, section 3.1: onto the hyperplane of coordinate sum 0, round, mend the sum.
/// Operation by operation as in Kraehenbuehl and Koltun's library: which vertices exist decides where blurs
/// pass, and points on a border between simplices have it decided by the last bit.
template <int D>
inline void find_simplex(const std::array<Lanes<float>, D>& features, const std::array<float, D>& scale,
                         Enclosed<D>& out) {
  constexpr float kStep = D + 1;
  Lanes<float> sum{};
  std::array<Lanes<float>, D + 1> elevated;
  for (int j = D; j > 0; --j)
    for (int l = 0; l < kLanes; ++l) {
      const float c = features[j - 1][l] * scale[j - 1];
      elevated[j][l] = sum[l] - static_cast<float>(j) * c;
      sum[l] += c;
    }
  elevated[0] = sum;
  Lanes<std::int32_t> excess{};
  for (int i = 0; i <= D; ++i)
    for (int l = 0; l < kLanes; ++l) {
      const float whole = std::nearbyint(elevated[i][l] * (1 / kStep));
      out.rest[i][l] = elevated[i][l] - whole * kStep;
      const auto steps = static_cast<std::int32_t>(whole);
      out.base[i][l] = steps * (D + 1);
      out.rank[i][l] = 0;
      excess[l] += steps;
    }
  for (int i = 0; i < D; ++i)
    for (int j = i + 1; j <= D; ++j)
      for (int l = 0; l < kLanes; ++l) {
        const std::int32_t less = out.rest[i][l] < out.rest[j][l] ? 1 : 0;
        out.rank[i][l] += less;
        out.rank[j][l] += 1 - less;
      }
  for (int i = 0; i <= D; ++i)
    for (int l = 0; l < kLanes; ++l) {
      const std::int32_t rank = out.rank[i][l] + excess[l];
      const std::int32_t wrap = rank < 0 ? 1 : rank > D ? -1 : 0;
      out.rank[i][l] = rank + wrap * (D + 1);
      out.base[i][l] += wrap * (D + 1);
      out.rest[i][l] = (out.rest[i][l] - static_cast<float>(wrap) * kStep) * (1 / kStep);
    }
}

/// The keys and weights of one of the points.
template <int D>
inline void list_corners(const Enclosed<D>& e, int lane, LatticeKey* keys, float* weights) {
  std::array<float, D + 2> by_rank;
  std::array<LatticeKey, D + 1> drop;  // by rank, what its coordinate loses on the way to the next vertex
  LatticeKey key = LatticeKey::bias(D);
  for (int i = 0; i <= D; ++i) {
    const auto rank = static_cast<std::size_t>(e.rank[i][lane]);
    by_rank[rank] = e.rest[i][lane];
    drop[rank] = LatticeKey::step(D, i);
    if (i < D) key += LatticeKey::unit(i, e.base[i][lane]);
  }
  keys[0] = key;
  weights[0] = 1 + by_rank[D] - by_rank[0];
  for (int r = 1; r <= D; ++r) {
    keys[r] = key += drop[D + 1 - r];
    weights[r] = by_rank[D - r] - by_rank[D - r + 1];
  }
}

template <int D>
ATROUS_VECTORISE void enclose(const float* features, std::int64_t count, LatticeKey* keys, float* weights) {
  const auto deviation = static_cast<float>(std::sqrt(2.0 / 3.0) * (D + 1));
  std::array<float, D> scale;  // makes the blur's variance 1 along each feature
  for (int i = 0; i < D; ++i) scale[i] = static_cast<float>(1 / std::sqrt((i + 1) * (i + 2)) * deviation);
  Enclosed<D> enclosed;
  for (std::int64_t start = 0; start < count; start += kLanes) {
    const int lanes = static_cast<int>(std::min<std::int64_t>(kLanes, count - start));
    std::array<Lanes<float>, D> lane_features{};
    for (int l = 0; l < lanes; ++l)
      for (int i = 0; i < D; ++i) lane_features[i][l] = features[(start + l) * D + i];
    find_simplex<D>(lane_features, scale, enclosed);
    for (int l = 0; l < lanes; ++l)
      list_corners<D>(enclosed, l, keys + (start + l) * (D + 1), weights + (start + l) * (D + 1));
  }
}

}  // namespace

void enclose_points(const float* features, int d, std::int64_t count, LatticeKey* keys, float* weights) {
  switch (d) {
    case 1:
      return enclose<1>(features, count, keys, weights);
    case 2:
      return enclose<2>(features, count, keys, weights);
    case 3:
      return enclose<3>(features, count, keys, weights);
    case 4:
      return enclose<4>(features, count, keys, weights);
    default:
      return enclose<5>(features, count, keys, weights);
  }
}

}  // namespace atrous
