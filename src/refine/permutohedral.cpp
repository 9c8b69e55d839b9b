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
namespace {

constexpr std::int64_t kChainBlock = 4096;  // vertices that a thread blurs at a time

}  // namespace

/// The vertices around the points of a cell, numbered within it.
struct Permutohedral::Cell {
  LargeVector<LatticeKey> keys;
  std::vector<std::uint32_t> splats;  ///< how many points of the cell a vertex has, then where they go
};

Permutohedral::Permutohedral(std::span<const float> features, int dimensions)
    : dimensions_(dimensions), points_(static_cast<std::int64_t>(features.size()) / dimensions) {
  if (const auto bad = find_outside(features, kLargestFeature))
    fail(ErrorCode::invalid_argument, "permutohedral lattice: a feature of {} is out of range", *bad);
  std::vector<Cell> cells(static_cast<std::size_t>(this->cells()));
  slices_.resize(static_cast<std::size_t>(points_ * corners()));
  parallel_for(static_cast<std::int64_t>(cells.size()), [&](std::int64_t cell) {
    place_points(features, cell, cells[static_cast<std::size_t>(cell)]);
  });
  const VertexTable table = merge(cells);
  list_splats(cells);
  link(table);
}

void Permutohedral::place_points(std::span<const float> features, std::int64_t number, Cell& cell) {
  constexpr std::int64_t kBatch = 64;
  std::array<LatticeKey, kBatch*(kMostDimensions + 1)> keys;
  std::array<float, keys.size()> weights;
  VertexTable table(kCell);
  const std::int64_t end = std::min(points_, (number + 1) * kCell);
  for (std::int64_t begin = number * kCell; begin < end; begin += kBatch) {
    const std::int64_t count = std::min(kBatch, end - begin);
    enclose_points(features.data() + begin * dimensions_, dimensions_, count, keys.data(), weights.data());
    Share* slices = slices_.data() + begin * corners();
    for (std::size_t i = 0; i < static_cast<std::size_t>(count * corners()); ++i) {
      const std::int32_t vertex = table.insert(keys[i]);
      if (static_cast<std::size_t>(vertex) == cell.splats.size()) cell.splats.push_back(0);
      ++cell.splats[static_cast<std::size_t>(vertex)];
      slices[i] = {vertex, weights[i]};
    }
  }
  cell.keys = table.keys();
}

/// Numbers the vertices of all cells, in order of first appearance.
VertexTable Permutohedral::merge(std::span<const Cell> cells) {
  constexpr std::size_t kAhead = 8;
  cell_first_ = {0};
  for (const Cell& cell : cells)
    cell_first_.push_back(cell_first_.back() + static_cast<std::int64_t>(cell.keys.size()));
  cell_vertices_.resize(static_cast<std::size_t>(cell_first_.back()));
  VertexTable table(cell_first_.back() / 2);
  auto to = cell_vertices_.begin();
  for (const Cell& cell : cells)
    for (std::size_t v = 0; v < cell.keys.size(); ++v) {
      if (v + kAhead < cell.keys.size()) table.prefetch(cell.keys[v + kAhead]);
      *to++ = table.insert(cell.keys[v]);
    }
  return table;
}

/// The chains of every axis: from each vertex without a neighbour behind it, along those before it.
void Permutohedral::link(const VertexTable& table) {
  chains_.resize(static_cast<std::size_t>(corners()));
  parallel_for(corners(), [&](std::int64_t axis) {
    const LatticeKey step = LatticeKey::step(dimensions_, static_cast<int>(axis));
    const auto count = static_cast<std::size_t>(table.size());
    std::vector<std::int32_t> next(count);
    std::vector<bool> follows(count);
    constexpr std::size_t kAhead = 8;
    const LargeVector<LatticeKey>& keys = table.keys();
    for (std::size_t v = 0; v < count; ++v) {
      if (v + kAhead < count) table.prefetch(keys[v + kAhead] + step);
      next[v] = table.find(keys[v] + step);
      if (next[v] >= 0) follows[static_cast<std::size_t>(next[v])] = true;
    }
    auto& [vertices, blocks] = chains_[static_cast<std::size_t>(axis)];
    blocks = {0};
    for (std::size_t head = 0; head < count; ++head) {
      if (follows[head] || next[head] < 0) continue;
      for (auto v = static_cast<std::int32_t>(head); v >= 0; v = next[static_cast<std::size_t>(v)])
        vertices.push_back(v);
      vertices.back() = ~vertices.back();
      const auto end = static_cast<std::int64_t>(vertices.size());
      if (end - blocks.back() >= kChainBlock) blocks.push_back(end);
    }
    if (blocks.back() < static_cast<std::int64_t>(vertices.size()))
      blocks.push_back(static_cast<std::int64_t>(vertices.size()));
  });
}

/// Counting sort by vertex, so that each vertex gathers its points in order; and slices are of vertices from
/// now on, not of a cell's.
void Permutohedral::list_splats(std::span<Cell> cells) {
  const auto vertices = static_cast<std::size_t>(
      cell_vertices_.empty() ? 0 : *std::max_element(cell_vertices_.begin(), cell_vertices_.end()) + 1);
  first_.assign(vertices + 1, 0);
  auto each = [&](const auto& f) {
    auto vertex = cell_vertices_.begin();
    for (Cell& cell : cells)
      for (std::uint32_t& count : cell.splats) f(static_cast<std::size_t>(*vertex++), count);
  };
  each([&](std::size_t vertex, std::uint32_t count) { first_[vertex + 1] += count; });
  for (std::size_t v = 1; v < first_.size(); ++v) first_[v] += first_[v - 1];
  std::vector<std::uint32_t> next(first_.begin(), first_.end() - 1);
  each([&](std::size_t vertex, std::uint32_t& count) {
    next[vertex] += count;
    count = next[vertex] - count;
  });
  splats_.resize(slices_.size() + kReadAhead);
  std::fill_n(splats_.end() - kReadAhead, kReadAhead, Share{0, 0});
  parallel_for(static_cast<std::int64_t>(cells.size()), [&](std::int64_t number) {
    const std::span<const std::int32_t> vertices_here = cell_vertices(number);
    std::vector<std::uint32_t>& to = cells[static_cast<std::size_t>(number)].splats;
    for (std::int64_t i = number * kCell; i < std::min(points_, (number + 1) * kCell); ++i)
      for (int r = 0; r < corners(); ++r) {
        Share& slice = slices_[static_cast<std::size_t>(i * corners() + r)];
        const auto vertex = static_cast<std::size_t>(slice.index);
        splats_[to[vertex]++] = {static_cast<std::int32_t>(i), slice.weight};
        slice.index = vertices_here[vertex];
      }
  });
}

std::vector<float> Permutohedral::filter_ones() const {
  std::vector<float> values(static_cast<std::size_t>(vertices()));
  parallel_blocks(vertices(), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t v = begin; v < end; ++v)
      for (const Share& s : splats(v)) values[static_cast<std::size_t>(v)] += s.weight;
  });
  for (const Chains& chains : chains_)
    parallel_for(static_cast<std::int64_t>(chains.blocks.size()) - 1, [&](std::int64_t b) {
      const auto block = static_cast<std::size_t>(b);
      float before = 0;
      for (std::int64_t i = chains.blocks[block]; i < chains.blocks[block + 1]; ++i) {
        const std::int32_t entry = chains.vertices[static_cast<std::size_t>(i)];
        const bool last = entry < 0;
        float& here = values[static_cast<std::size_t>(last ? ~entry : entry)];
        float after = 0;
        if (!last) {
          const std::int32_t next = chains.vertices[static_cast<std::size_t>(i) + 1];
          after = values[static_cast<std::size_t>(next < 0 ? ~next : next)];
        }
        const float old = here;
        here += 0.5F * (before + after);
        before = last ? 0 : old;
      }
    });
  std::vector<float> sums(static_cast<std::size_t>(points_));
  parallel_blocks(points_, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      float sum = 0;
      for (int r = 0; r < corners(); ++r)
        sum += slices(i)[r].weight * values[static_cast<std::size_t>(slices(i)[r].index)];
      sums[static_cast<std::size_t>(i)] = sum * blur_gain();
    }
  });
  return sums;
}

float Permutohedral::scale(std::span<const float> before, std::span<const float> after, float factor) {
  parallel_blocks(points_, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      for (int r = 0; r < corners(); ++r)
        slices_[static_cast<std::size_t>(i * corners() + r)].weight *=
            after.empty() ? factor : factor * after[static_cast<std::size_t>(i)];
  });
  std::vector<float> sums(static_cast<std::size_t>(vertices()));
  parallel_blocks(vertices(), [&](std::int64_t begin, std::int64_t end) {
    for (auto v = static_cast<std::size_t>(begin); v < static_cast<std::size_t>(end); ++v)
      for (std::uint32_t i = first_[v]; i < first_[v + 1]; ++i) {
        if (!before.empty()) splats_[i].weight *= before[static_cast<std::size_t>(splats_[i].index)];
        sums[v] += splats_[i].weight;
      }
  });
  return std::ldexp(*std::max_element(sums.begin(), sums.end()),
                    corners());  // an axis's blur at most doubles it
}

float Permutohedral::blur_gain() const { return 1 / (1 + std::exp2(-static_cast<float>(dimensions_))); }

}  // namespace atrous
