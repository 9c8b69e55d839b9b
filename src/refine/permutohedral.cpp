// SPDX-License-Identifier: Apache-2.0
#include "refine/permutohedral.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "core/outside.h"
#include "core/parallel.h"
#include "refine/enclose.h"

namespace atrous {

Permutohedral::Permutohedral(std::span<const float> features, int dimensions)
    : dimensions_(dimensions), points_(static_cast<std::int64_t>(features.size()) / dimensions) {
  if (const auto bad = find_outside(features, kLargestFeature))
    fail(ErrorCode::invalid_argument, "permutohedral lattice: a feature of {} is out of range", *bad);
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
void Permutohedral::place_points(std::span<const float> features, std::int64_t cell,
                                 LargeVector<LatticeKey>& cell_keys) {
  constexpr std::int64_t kBatch = 64;
  std::array<LatticeKey, kBatch*(kMostDimensions + 1)> keys;
  std::array<float, keys.size()> weights;
  VertexTable table(kCell);
  const std::int64_t first = cell * kCell, count = std::min(points_ - first, kCell);
  std::uint16_t* const vertex = share_vertices_.data() + first * corners();
  std::uint16_t* const weight = share_weights_.data() + first * corners();
  for (std::int64_t begin = 0; begin < count; begin += kBatch) {
    const std::int64_t batch = std::min(kBatch, count - begin);
    enclose_points(features.data() + (first + begin) * dimensions_, dimensions_, batch, keys.data(),
                   weights.data());
    for (int r = 0; r < corners(); ++r)
      for (std::int64_t i = 0; i < batch; ++i) {
        const auto from = static_cast<std::size_t>(i * corners() + r);
        const std::int64_t to = r * kCell + begin + i;
        vertex[to] = static_cast<std::uint16_t>(table.insert(keys[from]));
        weight[to] = static_cast<std::uint16_t>(std::clamp(weights[from], 0.0F, 1.0F) * kWhole + 0.5F);
      }
  }
  for (int r = 0; r < corners(); ++r) {
    std::fill(vertex + r * kCell + count, vertex + (r + 1) * kCell, std::uint16_t{0});
    std::fill(weight + r * kCell + count, weight + (r + 1) * kCell, std::uint16_t{0});
  }
  cell_keys = table.keys();
}

/// Numbers the vertices of all cells, in order of first appearance.
VertexTable Permutohedral::merge(std::span<const LargeVector<LatticeKey>> cells) {
  constexpr std::size_t kAhead = 8;
  cell_first_ = {0};
  for (const auto& keys : cells)
    cell_first_.push_back(cell_first_.back() + static_cast<std::int64_t>(keys.size()));
  cell_vertices_.resize(static_cast<std::size_t>(cell_first_.back()));
  VertexTable table(cell_first_.back() / 2);
  auto to = cell_vertices_.begin();
  for (const auto& keys : cells)
    for (std::size_t v = 0; v < keys.size(); ++v) {
      if (v + kAhead < keys.size()) table.prefetch(keys[v + kAhead]);
      *to++ = table.insert(keys[v]);
    }
  return table;
}

void Permutohedral::assign_slots(std::int64_t vertices) {
  first_slot_.assign(static_cast<std::size_t>(vertices + 1), 0);
  for (const std::int32_t v : cell_vertices_) ++first_slot_[static_cast<std::size_t>(v) + 1];
  for (std::size_t v = 1; v < first_slot_.size(); ++v) first_slot_[v] += first_slot_[v - 1];
  std::vector<std::int32_t> next(first_slot_.begin(), first_slot_.end() - 1);
  cell_slots_.resize(cell_vertices_.size());
  slot_vertices_.resize(cell_vertices_.size());
  for (std::size_t i = 0; i < cell_slots_.size(); ++i) {
    cell_slots_[i] = next[static_cast<std::size_t>(cell_vertices_[i])]++;
    slot_vertices_[static_cast<std::size_t>(cell_slots_[i])] = cell_vertices_[i];
  }
}

void Permutohedral::link(const VertexTable& table) {
  constexpr std::size_t kAhead = 8;
  neighbours_.resize(static_cast<std::size_t>(corners()));
  parallel_for(corners(), [&](std::int64_t axis) {
    const LatticeKey step = LatticeKey::step(dimensions_, static_cast<int>(axis));
    const auto count = static_cast<std::size_t>(table.size());
    const auto none = static_cast<std::int32_t>(count);
    auto& [before, after] = neighbours_[static_cast<std::size_t>(axis)];
    before.assign(count, none), after.assign(count, none);
    const LargeVector<LatticeKey>& keys = table.keys();
    for (std::size_t v = 0; v < count; ++v) {
      if (v + kAhead < count) table.prefetch(keys[v + kAhead] + step);
      const std::int32_t next = table.find(keys[v] + step);
      if (next < 0) continue;
      after[v] = next;
      before[static_cast<std::size_t>(next)] = static_cast<std::int32_t>(v);
    }
  });
}

std::vector<float> Permutohedral::splat_ones() const {
  std::vector<float> gathered(static_cast<std::size_t>(slots()));
  parallel_for(cells(), [&](std::int64_t cell) {
    const std::span<const std::int32_t> slots = cell_slots(cell);
    const Shares s = shares(cell);
    std::vector<std::uint32_t> sums(slots.size());
    for (std::int64_t i = 0; i < corners() * kCell; ++i) sums[s.vertices[i]] += s.weights[i];
    for (std::size_t v = 0; v < slots.size(); ++v)
      gathered[static_cast<std::size_t>(slots[v])] = static_cast<float>(sums[v]) / kWhole;
  });
  std::vector<float> result(static_cast<std::size_t>(vertices()));
  for (std::size_t slot = 0; slot < gathered.size(); ++slot)
    result[static_cast<std::size_t>(slot_vertices_[slot])] += gathered[slot];
  return result;
}

std::vector<float> Permutohedral::filter_ones(std::vector<float> values) const {
  values.push_back(0);  // where there is no neighbour
  std::vector<float> blurred(values.size());
  for (const Neighbours& neighbours : neighbours_) {
    parallel_blocks(vertices(), [&](std::int64_t begin, std::int64_t end) {
      for (auto v = static_cast<std::size_t>(begin); v < static_cast<std::size_t>(end); ++v)
        blurred[v] = values[v] + 0.5F * (values[static_cast<std::size_t>(neighbours.before[v])] +
                                         values[static_cast<std::size_t>(neighbours.after[v])]);
    });
    values.swap(blurred);
  }
  std::vector<float> sums(static_cast<std::size_t>(points_));
  parallel_for(cells(), [&](std::int64_t cell) {
    const std::span<const std::int32_t> vertices = cell_vertices(cell);
    const Shares s = shares(cell);
    const std::int64_t first = cell * kCell, count = std::min(points_ - first, kCell);
    std::vector<float> here(vertices.size());
    for (std::size_t v = 0; v < here.size(); ++v) here[v] = values[static_cast<std::size_t>(vertices[v])];
    for (std::int64_t i = 0; i < count; ++i) {
      float sum = 0;
      for (int r = 0; r < corners(); ++r)
        sum += static_cast<float>(s.weights[r * kCell + i]) * here[s.vertices[r * kCell + i]];
      sums[static_cast<std::size_t>(first + i)] = sum * blur_gain() / kWhole;
    }
  });
  return sums;
}

float Permutohedral::blur_gain() const { return 1 / (1 + std::exp2(-static_cast<float>(dimensions_))); }

}  // namespace atrous
