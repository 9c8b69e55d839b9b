// SPDX-License-Identifier: Apache-2.0
#include "refine/permutohedral.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "core/parallel.h"

namespace atrous {
namespace {

constexpr int kMost = Permutohedral::kMostDimensions;

}  // namespace

/// Lattice coordinates -> vertex number; open addressing, numbers in order of first appearance.
class Permutohedral::VertexTable {
 public:
  explicit VertexTable(int dimensions, std::size_t expected) : dimensions_(dimensions) {
    std::size_t capacity = 1024;
    while (capacity < 2 * expected) capacity *= 2;
    slots_.assign(capacity, -1);
  }

  std::int32_t find(const std::int32_t* key) const { return slots_[slot_of(key)]; }

  std::int32_t insert(const std::int32_t* key) {
    if (2 * (size() + 1) > slots_.size()) grow();
    std::int32_t& number = slots_[slot_of(key)];
    if (number < 0) {
      number = static_cast<std::int32_t>(size());
      keys_.insert(keys_.end(), key, key + dimensions_);
    }
    return number;
  }

  const std::int32_t* key(std::int64_t number) const { return keys_.data() + number * dimensions_; }
  std::size_t size() const { return keys_.size() / static_cast<std::size_t>(dimensions_); }

 private:
  std::size_t slot_of(const std::int32_t* key) const {
    std::uint64_t hash = 0;
    for (int i = 0; i < dimensions_; ++i)
      hash = (hash + static_cast<std::uint32_t>(key[i])) * 0x9E3779B97F4A7C15ULL;
    const std::size_t mask = slots_.size() - 1;
    std::size_t slot = (hash >> 20U) & mask;
    while (slots_[slot] >= 0 && !std::equal(key, key + dimensions_, this->key(slots_[slot])))
      slot = (slot + 1) & mask;
    return slot;
  }

  void grow() {
    const std::size_t count = size();
    slots_.assign(slots_.size() * 2, -1);
    for (std::size_t number = 0; number < count; ++number)
      slots_[slot_of(key(static_cast<std::int64_t>(number)))] = static_cast<std::int32_t>(number);
  }

  int dimensions_;
  std::vector<std::int32_t> slots_;
  std::vector<std::int32_t> keys_;
};

namespace {

/// The simplex around one point: its d+1 vertices' keys (d numbers each) and barycentric weights.
void enclose(const float* features, const float* scale, int d, std::int32_t* keys, float* weights) {
  std::array<float, kMost + 1> elevated{};
  float sum = 0;
  for (int j = d; j > 0; --j) {  // onto the hyperplane of coordinate sum 0
    const float c = features[j - 1] * scale[j - 1];
    elevated[static_cast<std::size_t>(j)] = sum - static_cast<float>(j) * c;
    sum += c;
  }
  elevated[0] = sum;

  // nearest lattice point whose coordinates are multiples of d+1, then the order of the differences
  std::array<int, kMost + 1> base{}, rank{};
  const auto step = static_cast<float>(d + 1);
  int excess = 0;
  for (int i = 0; i <= d; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const float down = std::floor(elevated[at] / step) * step, up = std::ceil(elevated[at] / step) * step;
    base[at] = static_cast<int>(up - elevated[at] < elevated[at] - down ? up : down);
    excess += base[at] / (d + 1);
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(d); ++i)
    for (std::size_t j = i + 1; j <= static_cast<std::size_t>(d); ++j)
      ++rank[elevated[i] - static_cast<float>(base[i]) < elevated[j] - static_cast<float>(base[j]) ? i : j];
  std::array<float, kMost + 2> barycentric{};
  for (std::size_t i = 0; i <= static_cast<std::size_t>(d); ++i) {
    rank[i] += excess;
    const int wrap = rank[i] < 0 ? d + 1 : rank[i] > d ? -(d + 1) : 0;
    rank[i] += wrap;
    base[i] += wrap;
    const float v = (elevated[i] - static_cast<float>(base[i])) / step;
    barycentric[static_cast<std::size_t>(d - rank[i])] += v;
    barycentric[static_cast<std::size_t>(d - rank[i] + 1)] -= v;
  }
  barycentric[0] += 1 + barycentric[static_cast<std::size_t>(d + 1)];
  for (int r = 0; r <= d; ++r) {
    weights[r] = barycentric[static_cast<std::size_t>(r)];
    for (int i = 0; i < d; ++i) {
      const auto at = static_cast<std::size_t>(i);
      keys[r * d + i] = static_cast<std::int32_t>(base[at] + (rank[at] <= d - r ? r : r - (d + 1)));
    }
  }
}

ATROUS_VECTORISE void add_scaled(const float* in, float weight, float* out, int channels) {
  for (int c = 0; c < channels; ++c) out[c] += weight * in[c];
}

ATROUS_VECTORISE void blur_vertex(const float* centre, const float* a, const float* b, float* out,
                                  int channels) {
  for (int c = 0; c < channels; ++c) out[c] = centre[c] + 0.5F * (a[c] + b[c]);
}

}  // namespace

Permutohedral::Permutohedral(std::span<const float> features, int dimensions)
    : dimensions_(dimensions), points_(static_cast<std::int64_t>(features.size()) / dimensions) {
  constexpr float kLargest = 1e6F;
  for (float f : features)
    if (!(std::abs(f) < kLargest))
      fail(ErrorCode::invalid_argument, "permutohedral lattice: a feature of {} is out of range", f);
  VertexTable table(dimensions, static_cast<std::size_t>(points_) / 4);
  place_points(features, table);
  vertices_ = static_cast<std::int64_t>(table.size());
  find_neighbours(table);
  list_contributions();
}

/// Points are enclosed in parallel and their vertices numbered in order, a chunk at a time so that keys stay
/// few.
void Permutohedral::place_points(std::span<const float> features, VertexTable& table) {
  constexpr std::int64_t kChunk = 1 << 16;
  const int d = dimensions_, corners = d + 1;
  std::array<float, kMost> scale{};
  for (int i = 0; i < d; ++i)  // makes the blur's variance 1 along each feature
    scale[static_cast<std::size_t>(i)] =
        std::sqrt(2.0F / 3.0F) * static_cast<float>(d + 1) / std::sqrt(static_cast<float>((i + 1) * (i + 2)));
  vertex_.resize(static_cast<std::size_t>(points_ * corners));
  weight_.resize(vertex_.size());
  std::vector<std::int32_t> keys(static_cast<std::size_t>(std::min(kChunk, points_) * corners * d));
  for (std::int64_t chunk = 0; chunk < points_; chunk += kChunk) {
    const std::int64_t count = std::min(kChunk, points_ - chunk);
    parallel_blocks(count, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        enclose(features.data() + (chunk + i) * d, scale.data(), d, keys.data() + i * corners * d,
                weight_.data() + (chunk + i) * corners);
    });
    for (std::int64_t i = 0; i < count * corners; ++i)
      vertex_[static_cast<std::size_t>(chunk * corners + i)] = table.insert(keys.data() + i * d);
  }
}

void Permutohedral::find_neighbours(const VertexTable& table) {
  const int d = dimensions_;
  neighbour_.resize(static_cast<std::size_t>((d + 1) * vertices_ * 2));
  parallel_blocks(vertices_, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t v = begin; v < end; ++v)
      for (int axis = 0; axis <= d; ++axis)
        for (int side = 0; side < 2; ++side) {
          std::array<std::int32_t, kMost> key{};
          for (int i = 0; i < d; ++i) {
            const int step = i == axis ? -d : 1;
            key[static_cast<std::size_t>(i)] = table.key(v)[i] + (side == 0 ? -step : step);
          }
          neighbour_[static_cast<std::size_t>((axis * vertices_ + v) * 2 + side)] = table.find(key.data());
        }
  });
}

/// Counting sort by vertex, so that each vertex gathers its points in a fixed order.
void Permutohedral::list_contributions() {
  first_.assign(static_cast<std::size_t>(vertices_ + 1), 0);
  for (std::int32_t v : vertex_) ++first_[static_cast<std::size_t>(v) + 1];
  for (std::size_t v = 1; v < first_.size(); ++v) first_[v] += first_[v - 1];
  std::vector<std::int64_t> next(first_.begin(), first_.end() - 1);
  contribution_.resize(vertex_.size());
  for (std::size_t i = 0; i < vertex_.size(); ++i)
    contribution_[static_cast<std::size_t>(next[static_cast<std::size_t>(vertex_[i])]++)] =
        static_cast<std::int32_t>(i);
}

void Permutohedral::filter(const float* in, float* out, int channels, std::vector<float>& scratch) const {
  const std::int64_t corners = dimensions_ + 1, plane = vertices_ * channels;
  scratch.assign(static_cast<std::size_t>(2 * plane + channels), 0);
  float* values = scratch.data();
  float* blurred = values + plane;
  const float* zeros = blurred + plane;
  parallel_blocks(vertices_, [&](std::int64_t begin, std::int64_t end) {  // splat
    for (std::int64_t v = begin; v < end; ++v)
      for (std::int64_t i = first_[static_cast<std::size_t>(v)]; i < first_[static_cast<std::size_t>(v) + 1];
           ++i) {
        const std::int32_t corner = contribution_[static_cast<std::size_t>(i)];
        add_scaled(in + corner / corners * channels, weight_[static_cast<std::size_t>(corner)],
                   values + v * channels, channels);
      }
  });
  for (std::int64_t axis = 0; axis < corners; ++axis) {
    const std::int32_t* sides = neighbour_.data() + axis * vertices_ * 2;
    parallel_blocks(vertices_, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t v = begin; v < end; ++v) {
        const float* a = sides[2 * v] < 0 ? zeros : values + std::int64_t{sides[2 * v]} * channels;
        const float* b = sides[2 * v + 1] < 0 ? zeros : values + std::int64_t{sides[2 * v + 1]} * channels;
        blur_vertex(values + v * channels, a, b, blurred + v * channels, channels);
      }
    });
    std::swap(values, blurred);
  }
  const float alpha = 1.0F / (1.0F + std::pow(2.0F, -static_cast<float>(dimensions_)));
  parallel_blocks(points_, [&](std::int64_t begin, std::int64_t end) {  // slice
    for (std::int64_t i = begin; i < end; ++i) {
      std::fill_n(out + i * channels, channels, 0.0F);
      for (std::int64_t r = i * corners; r < (i + 1) * corners; ++r)
        add_scaled(values + std::int64_t{vertex_[static_cast<std::size_t>(r)]} * channels,
                   weight_[static_cast<std::size_t>(r)] * alpha, out + i * channels, channels);
    }
  });
}

}  // namespace atrous
