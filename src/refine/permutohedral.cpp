// SPDX-License-Identifier: Apache-2.0
#include "refine/permutohedral.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/outside.h"
#include "core/parallel.h"
#include "refine/enclose.h"

namespace atrous {

namespace {

ATROUS_VECTORISE void quantise(const float* weights, int count, std::uint16_t* to) {
  for (int i = 0; i < count; ++i)
    to[i] = static_cast<std::uint16_t>(std::clamp(weights[i], 0.0F, 1.0F) * Permutohedral::kWhole + 0.5F);
}

}  // namespace

Permutohedral::Permutohedral(std::int64_t points, int dimensions, const Features& features)
    : dimensions_(dimensions), points_(points) {
  std::vector<LargeVector<LatticeKey>> cells(static_cast<std::size_t>(this->cells()));
  share_vertices_.resize(static_cast<std::size_t>(this->cells() * corners() * kCell));
  share_weights_.resize(share_vertices_.size());
  parallel_for(this->cells(), [&](std::int64_t cell) {
    place_points(features, cell, cells[static_cast<std::size_t>(cell)]);
  });
  const VertexTable table = merge(cells);
  assign_slots(table.size());
  link(table);
}

/// Fills a cell's shares and lists its vertices' keys.
void Permutohedral::place_points(const Features& features, std::int64_t cell,
                                 LargeVector<LatticeKey>& cell_keys) {
  constexpr int kBatch = Simplices::kMostPoints, kMostCorners = Simplices::kMostDimensions + 1;
  std::array<float, Simplices::kMostDimensions * kBatch> given{};
  Simplices simplices;
  LatticeKey keys[kMostCorners];
  std::uint16_t corner[kMostCorners];
  VertexTable table(kCell);
  const std::int64_t first = cell * kCell, count = std::min(points_ - first, kCell);
  std::uint16_t* const vertex = share_vertices_.data() + first * corners();
  std::uint16_t* const weight = share_weights_.data() + first * corners();
  for (std::int64_t begin = 0; begin < count; begin += kBatch) {
    const int batch = static_cast<int>(std::min<std::int64_t>(kBatch, count - begin));
    features(first + begin, batch, given.data());
    if (const auto bad = find_outside(std::span(given).first(dimensions_ * kBatch), kLargestFeature))
      fail(ErrorCode::invalid_argument, "permutohedral lattice: a feature of {} is out of range", *bad);
    enclose_points(given.data(), dimensions_, batch, simplices);
    for (int i = 0; i < batch; ++i) {
      if (i == 0 || simplices.name(dimensions_, i) != simplices.name(dimensions_, i - 1)) {
        simplices.corners(dimensions_, i, keys);
        for (int r = 0; r < corners(); ++r) corner[r] = static_cast<std::uint16_t>(table.insert(keys[r]));
      }
      for (int r = 0; r < corners(); ++r) vertex[r * kCell + begin + i] = corner[r];
    }
    for (int r = 0; r < corners(); ++r) quantise(simplices.weights[r], batch, weight + r * kCell + begin);
  }
  for (int r = 0; r < corners(); ++r) {
    std::fill(vertex + r * kCell + count, vertex + (r + 1) * kCell, std::uint16_t{0});
    std::fill(weight + r * kCell + count, weight + (r + 1) * kCell, std::uint16_t{0});
  }
  cell_keys = std::move(table).take_keys();
}

/// Numbers the vertices of all cells, in order of first appearance.
VertexTable Permutohedral::merge(std::span<const LargeVector<LatticeKey>> cells) {
  constexpr std::size_t kAhead = 8;
  cell_first_ = {0};
  std::int64_t slots = 0;
  for (const auto& keys : cells) {
    slots += std::ssize(keys);
    if (slots > std::numeric_limits<std::int32_t>::max())
      fail(ErrorCode::invalid_argument, "permutohedral lattice: {} points are too many", points_);
    cell_first_.push_back(static_cast<std::int32_t>(slots));
  }
  cell_vertices_.resize(static_cast<std::size_t>(cell_first_.back()));
  VertexTable table(slots / 2);
  auto to = cell_vertices_.begin();
  for (const auto& keys : cells)
    for (std::size_t v = 0; v < keys.size(); ++v) {
      if (v + kAhead < keys.size()) table.prefetch(keys[v + kAhead]);
      *to++ = table.insert(keys[v]);
    }
  return table;
}

void Permutohedral::assign_slots(std::int64_t vertices) {
  vertex_first_.assign(static_cast<std::size_t>(vertices + 1), 0);
  for (const std::int32_t v : cell_vertices_) ++vertex_first_[static_cast<std::size_t>(v) + 1];
  for (std::size_t v = 1; v < vertex_first_.size(); ++v) vertex_first_[v] += vertex_first_[v - 1];
  std::vector<std::int32_t> next(vertex_first_.begin(), vertex_first_.end() - 1);
  vertex_slots_.resize(cell_vertices_.size());
  for (std::size_t slot = 0; slot < cell_vertices_.size(); ++slot) {
    const auto vertex = static_cast<std::size_t>(cell_vertices_[slot]);
    vertex_slots_[static_cast<std::size_t>(next[vertex]++)] = static_cast<std::int32_t>(slot);
  }
}

void Permutohedral::link(const VertexTable& table) {
  constexpr std::size_t kAhead = 8;
  neighbours_.resize(static_cast<std::size_t>(corners()));
  parallel_for(corners(), [&](std::int64_t axis) {
    const LatticeKey step = LatticeKey::step(dimensions_, static_cast<int>(axis));
    const auto count = static_cast<std::size_t>(table.size());
    const auto none = static_cast<std::int32_t>(count);
    Neighbours& neighbours = neighbours_[static_cast<std::size_t>(axis)];
    neighbours.assign(count + 1, {none, none});
    const LargeVector<LatticeKey>& keys = table.keys();
    for (std::size_t v = 0; v < count; ++v) {
      if (v + kAhead < count) table.prefetch(keys[v + kAhead] + step);
      const std::int32_t next = table.find(keys[v] + step);
      if (next < 0) continue;
      neighbours[v].after = next;
      neighbours[static_cast<std::size_t>(next)].before = static_cast<std::int32_t>(v);
    }
  });
}

std::vector<float> Permutohedral::splat_ones() const {
  std::vector<float> gathered(static_cast<std::size_t>(slots()));
  parallel_for(cells(), [&](std::int64_t cell) {
    const Shares s = shares(cell);
    std::vector<std::uint32_t> sums(cell_vertices(cell).size());
    for (std::int64_t i = 0; i < corners() * kCell; ++i) sums[s.vertices[i]] += s.weights[i];
    std::transform(sums.begin(), sums.end(), gathered.begin() + first_slot(cell),
                   [](std::uint32_t sum) { return static_cast<float>(sum) / kWhole; });
  });
  std::vector<float> result(static_cast<std::size_t>(vertices()));
  parallel_blocks(vertices(), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t v = begin; v < end; ++v)
      for (const std::int32_t slot : vertex_slots(v))
        result[static_cast<std::size_t>(v)] += gathered[static_cast<std::size_t>(slot)];
  });
  return result;
}

std::vector<float> Permutohedral::filter_ones(std::vector<float> values) const {
  values.push_back(0);  // where there is no neighbour
  std::vector<float> blurred(values.size());
  for (const Neighbours& neighbours : neighbours_) {
    parallel_blocks(vertices(), [&](std::int64_t begin, std::int64_t end) {
      for (auto v = static_cast<std::size_t>(begin); v < static_cast<std::size_t>(end); ++v)
        blurred[v] = values[v] + 0.5F * (values[static_cast<std::size_t>(neighbours[v].before)] +
                                         values[static_cast<std::size_t>(neighbours[v].after)]);
    });
    values.swap(blurred);
  }
  std::vector<float> sums(static_cast<std::size_t>(points_));
  parallel_for(cells(), [&](std::int64_t cell) {
    std::vector<float> here;
    for (const std::int32_t v : cell_vertices(cell)) here.push_back(values[static_cast<std::size_t>(v)]);
    std::array<float, kCell> sliced;
    slice(cell, here.data(), sliced.data());
    const std::int64_t first = cell * kCell, count = std::min(points_ - first, kCell);
    for (std::int64_t i = 0; i < count; ++i)
      sums[static_cast<std::size_t>(first + i)] = sliced[static_cast<std::size_t>(i)] * blur_gain() / kWhole;
  });
  return sums;
}

float Permutohedral::blur_gain() const { return 1 / (1 + std::exp2(-static_cast<float>(dimensions_))); }

}  // namespace atrous
