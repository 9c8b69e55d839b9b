// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <set>

#include "core/error.h"
#include "refine/enclose.h"
#include "refine/permutohedral.h"

namespace atrous {
namespace {

/// Of each point the features together.
std::vector<float> random_features(int points, int d, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> value(-20, 20);
  std::vector<float> features;
  for (int i = 0; i < points * d; ++i) features.push_back(value(generator));
  return features;
}

/// Some of the points' features as the lattice asks for them, a feature of all of them together.
void give(const std::vector<float>& features, int d, std::int64_t first, int count, float* to) {
  for (int i = 0; i < count; ++i)
    for (int j = 0; j < d; ++j)
      to[j * Simplices::kMostPoints + i] = features[static_cast<std::size_t>((first + i) * d + j)];
}

Permutohedral lattice_of(const std::vector<float>& features, int d) {
  return {std::ssize(features) / d, d,
          [&](std::int64_t first, int count, float* to) { give(features, d, first, count, to); }};
}

class Dimensions : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(All, Dimensions, testing::Range(1, 6));

/// Barycentric weights are shares, and they give the point back: the elevated point is the weighted mean of
/// the vertices, which are d+1 different ones that differ by steps of the lattice.
TEST_P(Dimensions, ASimplexEnclosesItsPoint) {
  const int d = GetParam(), corners = d + 1, points = 53;
  const std::vector<float> features = random_features(points, d, 21);
  std::vector<float> given(static_cast<std::size_t>(d * Simplices::kMostPoints));
  give(features, d, 0, points, given.data());
  Simplices simplices;
  enclose_points(given.data(), d, points, simplices);
  auto coordinate = [&](const LatticeKey& key, int i) {
    const std::uint64_t word = i < 3 ? key.low : key.high;
    return static_cast<std::int64_t>(word >> (LatticeKey::kBits * (i % 3)) &
                                     ((1U << LatticeKey::kBits) - 1)) -
           (1 << (LatticeKey::kBits - 1));
  };
  for (int p = 0; p < points; ++p) {
    std::array<LatticeKey, Simplices::kMostDimensions + 1> keys;
    simplices.corners(d, p, keys.data());
    double total = 0;
    std::set<std::pair<std::uint64_t, std::uint64_t>> different;
    std::vector<double> mean(static_cast<std::size_t>(d));
    for (int r = 0; r < corners; ++r) {
      const float weight = simplices.weights[r][p];
      const LatticeKey& key = keys[static_cast<std::size_t>(r)];
      EXPECT_GE(weight, -1e-4F);
      total += weight;
      different.insert({key.low, key.high});
      for (int i = 0; i < d; ++i)
        mean[static_cast<std::size_t>(i)] += weight * static_cast<double>(coordinate(key, i));
    }
    EXPECT_NEAR(total, 1, 1e-4);
    EXPECT_EQ(different.size(), static_cast<std::size_t>(corners));
    for (int i = 0; i < d; ++i) {  // Adams et al. 2010, equation 5's matrix
      double elevated = 0;
      for (int j = 0; j < d; ++j) {
        const double scaled = features[static_cast<std::size_t>(p * d + j)] * std::sqrt(2.0 / 3.0) * (d + 1) /
                              std::sqrt((j + 1.0) * (j + 2.0));
        if (j >= i) elevated += scaled;
        if (j == i - 1) elevated -= i * scaled;
      }
      EXPECT_NEAR(mean[static_cast<std::size_t>(i)], elevated, 2e-3) << "point " << p << " coordinate " << i;
    }
  }
}

/// This point lies on a border of its simplex as the authors' library rounds: rounding otherwise gives a
/// sliver of another vertex, which blurs then pass through.
TEST(Enclose, RoundsAsTheAuthorsDo) {
  std::array<float, 5 * Simplices::kMostPoints> features{};
  const std::array<float, 5> point = {583 / 49.0F, 852 / 49.0F, 39 / 5.0F, 64 / 5.0F, 75 / 5.0F};
  for (std::size_t j = 0; j < point.size(); ++j) features[j * Simplices::kMostPoints] = point[j];
  Simplices simplices;
  enclose_points(features.data(), 5, 1, simplices);
  float least = 1;
  for (const auto& weights : simplices.weights) least = std::min(least, weights[0]);
  EXPECT_EQ(least, 0);
}

/// Points are in the same simplex where their vertices are the same.
TEST_P(Dimensions, SimplicesAreToldApart) {
  const int d = GetParam(), points = 64;
  std::vector<float> features = random_features(points, d, 24), given(features.size());
  for (float& f : features) f /= 60;
  give(features, d, 0, points, given.data());
  Simplices simplices;
  enclose_points(given.data(), d, points, simplices);
  int same = 0;
  std::vector<std::array<LatticeKey, Simplices::kMostDimensions + 1>> keys(points);
  for (int i = 0; i < points; ++i) {
    simplices.corners(d, i, keys[static_cast<std::size_t>(i)].data());
    for (int j = 0; j < i; ++j) {
      const bool equal = simplices.name(d, i) == simplices.name(d, j);
      EXPECT_EQ(equal, keys[static_cast<std::size_t>(i)] == keys[static_cast<std::size_t>(j)]);
      same += equal ? 1 : 0;
    }
  }
  EXPECT_GT(same, 0);
  EXPECT_LT(same, points * (points - 1) / 2);
}

/// A point's shares are in different vertices and add up to 1; every cell has a slot of its own in each of
/// its vertices, and there are no others.
TEST_P(Dimensions, CellsShareVerticesBySlots) {
  const int d = GetParam(), points = 5000;
  const Permutohedral lattice = lattice_of(random_features(points, d, 22), d);
  std::set<std::int64_t> slots;
  double total = 0;
  ASSERT_EQ(lattice.cells(), 2);
  for (std::int64_t cell = 0; cell < lattice.cells(); ++cell) {
    const auto vertices = lattice.cell_vertices(cell);
    EXPECT_EQ(std::set(vertices.begin(), vertices.end()).size(), vertices.size());
    for (std::size_t k = 0; k < vertices.size(); ++k) {
      const std::int64_t slot = lattice.first_slot(cell) + static_cast<std::int64_t>(k);
      EXPECT_TRUE(slots.insert(slot).second);
      const auto all = lattice.vertex_slots(vertices[k]);
      EXPECT_EQ(std::count(all.begin(), all.end(), slot), 1);
      EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
    }
    const Permutohedral::Shares shares = lattice.shares(cell);
    for (std::int64_t i = 0; i < Permutohedral::kCell; ++i) {
      std::set<std::uint16_t> different;
      float sum = 0;
      for (int r = 0; r <= d; ++r) {
        const std::int64_t at = r * Permutohedral::kCell + i;
        ASSERT_LT(shares.vertices[at], vertices.size());
        different.insert(shares.vertices[at]);
        sum += shares.weights[at];
      }
      const bool real = cell * Permutohedral::kCell + i < points;
      ASSERT_NEAR(sum, real ? Permutohedral::kWhole : 0, 10);
      ASSERT_EQ(different.size(), real ? static_cast<std::size_t>(d + 1) : 1);
      total += sum;
    }
  }
  EXPECT_EQ(std::ssize(slots), lattice.slots());
  double splatted = 0;
  for (const float ones : lattice.splat_ones()) splatted += ones;
  EXPECT_NEAR(splatted, total / Permutohedral::kWhole, 1e-2);
}

/// The vertex after a vertex has it before, and one step of the axis lies between them.
TEST_P(Dimensions, NeighboursAreMutual) {
  const int d = GetParam();
  const Permutohedral lattice = lattice_of(random_features(500, d, 23), d);
  const auto none = static_cast<std::int32_t>(lattice.vertices());
  std::int64_t pairs = 0;
  for (int axis = 0; axis <= d; ++axis) {
    const Permutohedral::Neighbours& of = lattice.neighbours()[static_cast<std::size_t>(axis)];
    ASSERT_EQ(std::ssize(of), none + 1);
    EXPECT_EQ(of.back().before, none);
    EXPECT_EQ(of.back().after, none);
    for (std::int32_t v = 0; v < none; ++v) {
      const auto [last, next] = of[static_cast<std::size_t>(v)];
      EXPECT_TRUE(next == none || of[static_cast<std::size_t>(next)].before == v);
      EXPECT_TRUE(last == none || of[static_cast<std::size_t>(last)].after == v);
      EXPECT_NE(next, v);
      pairs += next != none ? 1 : 0;
    }
  }
  EXPECT_GT(pairs, d == 1 ? 50 : 500);
}

/// Against the sum over all pairs in double precision; the lattice is known to be off by some percent, and by
/// a factor near 1 that normalisation takes away.
TEST(Permutohedral, FiltersOnesLikeAGaussian) {
  constexpr int kSide = 40;
  std::vector<float> features;
  for (int i = 0; i < kSide * kSide; ++i) {
    features.push_back(0.3F * static_cast<float>(i % kSide));
    features.push_back(0.3F * static_cast<float>(i / kSide));
  }
  const Permutohedral lattice = lattice_of(features, 2);
  const std::vector<float> sums = lattice.filter_ones(lattice.splat_ones());
  double mean = 0, square = 0;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    double exact = 0;
    for (std::size_t j = 0; j < sums.size(); ++j)
      exact += std::exp(-(std::pow(features[2 * i] - features[2 * j], 2) +
                          std::pow(features[2 * i + 1] - features[2 * j + 1], 2)) /
                        2);
    mean += sums[i] / exact / static_cast<double>(sums.size());
    square += std::pow(sums[i] / exact, 2) / static_cast<double>(sums.size());
  }
  EXPECT_NEAR(mean, 1, 0.15);
  EXPECT_LT(std::sqrt(square - mean * mean) / mean, 0.05);
}

TEST(Permutohedral, RefusesWhatIsTooFarOut) {
  for (float bad : {7.1e4F, -1e30F, INFINITY, NAN}) EXPECT_THROW(lattice_of({0.0F, bad}, 2), Error) << bad;
}

}  // namespace
}  // namespace atrous
