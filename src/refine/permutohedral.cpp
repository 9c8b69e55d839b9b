// SPDX-License-Identifier: Apache-2.0
#include "refine/permutohedral.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/outside.h"
#include "core/parallel.h"
#include "refine/enclose.h"

namespace atrous {
namespace {

constexpr std::int64_t kChainBlock = 4096;  // vertices that a thread blurs at a time

}  // namespace

/// Keys -> vertex numbers in order of first appearance; open addressing.
class Permutohedral::VertexTable {
 public:
  explicit VertexTable(std::int64_t expected) {
    std::size_t capacity = 1024;
    while (capacity < 2 * static_cast<std::size_t>(expected)) capacity *= 2;
    slots_.assign(capacity, -1);
  }

  /// The vertex, or -1.
  std::int32_t find(const LatticeKey& key) const { return slots_[slot_of(key)]; }

  std::int32_t insert(const LatticeKey& key) {
    std::int32_t& number = slots_[slot_of(key)];
    if (number >= 0) return number;
    const auto fresh = static_cast<std::int32_t>(keys_.size());
    number = fresh;
    keys_.push_back(key);
    if (2 * keys_.size() > slots_.size()) grow();
    return fresh;
  }

  const LatticeKey& key(std::int64_t number) const { return keys_[static_cast<std::size_t>(number)]; }
  std::int64_t size() const { return static_cast<std::int64_t>(keys_.size()); }

 private:
  std::size_t slot_of(const LatticeKey& key) const {
    const std::uint64_t hash = (key.low * 0x9E3779B97F4A7C15ULL ^ key.high) * 0xD6E8FEB86659FD93ULL;
    const std::size_t mask = slots_.size() - 1;
    std::size_t slot = (hash >> 32U) & mask;
    while (slots_[slot] >= 0 && keys_[static_cast<std::size_t>(slots_[slot])] != key)
      slot = (slot + 1) & mask;
    return slot;
  }

  void grow() {
    slots_.assign(slots_.size() * 2, -1);
    for (std::size_t number = 0; number < keys_.size(); ++number)
      slots_[slot_of(keys_[number])] = static_cast<std::int32_t>(number);
  }

  LargeVector<std::int32_t> slots_;
  LargeVector<LatticeKey> keys_;
};

Permutohedral::Permutohedral(std::span<const float> features, int dimensions)
    : dimensions_(dimensions), points_(static_cast<std::int64_t>(features.size()) / dimensions) {
  if (const auto bad = find_outside(features, kLargestFeature))
    fail(ErrorCode::invalid_argument, "permutohedral lattice: a feature of {} is out of range", *bad);
  VertexTable table(points_ / 2);
  place_points(features, table);
  link(table);
  list_splats(table.size());
}

/// Points are enclosed in parallel and their vertices numbered in order, a chunk at a time so that keys stay
/// few.
void Permutohedral::place_points(std::span<const float> features, VertexTable& table) {
  constexpr std::int64_t kChunk = 1 << 14, kShare = 1 << 11;
  const int d = dimensions_;
  slices_.resize(static_cast<std::size_t>(points_ * corners()));
  std::vector<LatticeKey> keys(static_cast<std::size_t>(std::min(kChunk, points_) * corners()));
  std::vector<float> weights(keys.size());
  for (std::int64_t chunk = 0; chunk < points_; chunk += kChunk) {
    const std::int64_t count = std::min(kChunk, points_ - chunk);
    parallel_for((count + kShare - 1) / kShare, [&](std::int64_t share) {
      const std::int64_t begin = share * kShare;
      enclose_points(features.data() + (chunk + begin) * d, d, std::min(kShare, count - begin),
                     keys.data() + begin * corners(), weights.data() + begin * corners());
    });
    Share* slices = slices_.data() + chunk * corners();
    for (std::int64_t i = 0; i < count * corners(); ++i)
      slices[i] = {table.insert(keys[static_cast<std::size_t>(i)]), weights[static_cast<std::size_t>(i)]};
  }
}

/// The chains of every axis: from each vertex without a neighbour behind it, along those before it.
void Permutohedral::link(const VertexTable& table) {
  chains_.resize(static_cast<std::size_t>(corners()));
  parallel_for(corners(), [&](std::int64_t axis) {
    const LatticeKey step = LatticeKey::step(dimensions_, static_cast<int>(axis));
    const auto count = static_cast<std::size_t>(table.size());
    std::vector<std::int32_t> next(count);
    std::vector<bool> follows(count);
    for (std::size_t v = 0; v < count; ++v) {
      next[v] = table.find(table.key(static_cast<std::int64_t>(v)) + step);
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

/// Counting sort by vertex, so that each vertex gathers its points in a fixed order.
void Permutohedral::list_splats(std::int64_t vertices) {
  first_.assign(static_cast<std::size_t>(vertices + 1), 0);
  for (const Share& s : slices_) ++first_[static_cast<std::size_t>(s.index) + 1];
  for (std::size_t v = 1; v < first_.size(); ++v) first_[v] += first_[v - 1];
  std::vector<std::uint32_t> next(first_.begin(), first_.end() - 1);
  splats_.resize(slices_.size() + kReadAhead);
  std::fill_n(splats_.end() - kReadAhead, kReadAhead, Share{0, 0});
  for (std::int64_t i = 0; i < points_; ++i)
    for (int r = 0; r < corners(); ++r) {
      const Share& s = slices(i)[r];
      splats_[next[static_cast<std::size_t>(s.index)]++] = {static_cast<std::int32_t>(i), s.weight};
    }
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
