// SPDX-License-Identifier: Apache-2.0
#include "refine/lattice_filter.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "core/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "refine/lattice_filter.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
// after foreach_target
#include "refine/label_vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace atrous::HWY_NAMESPACE {

constexpr std::int64_t kAhead = 16;  ///< vertices whose rows are fetched before they are needed

/// change <- the sums of what the vertices [begin, end) were given of a block
void gather(const Permutohedral& lattice, const std::uint16_t* given, const std::uint8_t* slot_blocks,
            int block, std::uint16_t* change, int width, std::int64_t begin, std::int64_t end) {
  with_width(width, [&](auto w) {
    using Row = Labels<w>;
    for (std::int64_t v = begin; v < end; ++v) {
      const std::int64_t later =
          lattice.vertex_slots(std::min(v + kAhead, end - 1)).back();  // the others are in order
      __builtin_prefetch(given + later * w);
      __builtin_prefetch(slot_blocks + later);
      Row sum = Row::all(0);
      for (const std::int32_t slot : lattice.vertex_slots(v))
        if ((slot_blocks[slot] >> block & 1) != 0) sum = sum + Row::load(given + std::int64_t{slot} * w);
      sum.store(change + v * w);
    }
  });
}

/// A vertex's value plus half of those of its neighbours along an axis, and what comes later is fetched.
template <int kWidth>
HWY_INLINE Labels<kWidth> blurred(const Permutohedral::Pair* neighbours, const std::uint16_t* from,
                                  std::int64_t vertex, std::int64_t end) {
  using Row = Labels<kWidth>;
  const Permutohedral::Pair later = neighbours[std::min(vertex + kAhead, end)];
  __builtin_prefetch(from + std::int64_t{later.before} * kWidth);
  __builtin_prefetch(from + std::int64_t{later.after} * kWidth);
  const auto [before, after] = neighbours[vertex];
  return Row::load(from + vertex * kWidth)
      .plus(0.5F,
            Row::load(from + std::int64_t{before} * kWidth) + Row::load(from + std::int64_t{after} * kWidth));
}

/// Of the vertices [begin, end): to <- from, blurred along an axis
void blur(const Permutohedral::Neighbours& axis, const std::uint16_t* from, std::uint16_t* to, int width,
          std::int64_t begin, std::int64_t end) {
  with_width(width, [&](auto w) {
    for (std::int64_t v = begin; v < end; ++v) blurred<w>(axis.data(), from, v, end).store(to + v * w);
  });
}

/// Of the vertices [begin, end): values += from, blurred along an axis
void absorb(const Permutohedral::Neighbours& axis, const std::uint16_t* from, std::uint16_t* values,
            float* largest, float* travels, int width, std::int64_t begin, std::int64_t end) {
  with_width(width, [&](auto w) {
    using Row = Labels<w>;
    for (std::int64_t v = begin; v < end; ++v) {
      const Row step = blurred<w>(axis.data(), from, v, end), sum = Row::load(values + v * w) + step;
      sum.store(values + v * w);
      if (largest != nullptr) largest[v] = std::max(sum.largest(), 0.0F);
      travels[v] += step.magnitude().largest();
    }
  });
}

}  // namespace atrous::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace atrous {

HWY_EXPORT(gather);
HWY_EXPORT(blur);
HWY_EXPORT(absorb);

namespace {

/// The power of 2 that vertices' values are kept times, so that half precision holds the largest: where the
/// filtered values are at most 1 a vertex gathers at most `most`, and the blur along an axis at most doubles
/// it.
float storage_scale(float most, int corners) {
  constexpr float kLargestHalf = 60'000;
  return std::exp2(std::floor(std::log2(kLargestHalf / std::ldexp(most, corners))));
}

float largest_of(std::span<const float> values) {
  return values.empty() ? 1 : *std::max_element(values.begin(), values.end());
}

}  // namespace

LatticeFilter::LatticeFilter(Permutohedral lattice, float most_ones, std::span<const float> before,
                             std::span<const float> after, float weight, int labels)
    : lattice_(std::move(lattice)),
      takes_(static_cast<std::size_t>(lattice_.cells() * Permutohedral::kCell)),
      gains_(takes_.size()),
      values_(lattice_.vertices(), labels),
      given_(lattice_.slots() + 1, labels),
      change_(static_cast<std::size_t>((lattice_.vertices() + 1) * values_.width())),
      largest_(static_cast<std::size_t>(lattice_.vertices() * (LabelRows::blocks_of(labels) - 1)), 0),
      travels_(static_cast<std::size_t>(lattice_.vertices()), 0),
      slot_blocks_(static_cast<std::size_t>(lattice_.slots()), 0),
      cell_blocks_(static_cast<std::size_t>(lattice_.cells()), 0) {
  values_.clear();
  std::fill_n(change_.end() - values_.width(), values_.width(), std::uint16_t{0});
  const float scale =
      storage_scale(most_ones * largest_of(before), lattice_.corners()) / Permutohedral::kWhole;
  const float take = weight * lattice_.blur_gain() / (scale * Permutohedral::kWhole * Permutohedral::kWhole);
  parallel_blocks(std::ssize(takes_), [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      const bool real = i < static_cast<std::size_t>(lattice_.points());
      takes_[i] = real ? take * (after.empty() ? 1 : after[i]) : 0;
      gains_[i] = real ? scale * (before.empty() ? 1 : before[i]) / takes_[i] : 0;
    }
  });
}

void LatticeFilter::follow() {
  unsigned blocks = 0;
  for (const std::uint8_t of_cell : cell_blocks_) blocks |= of_cell;
  for (; blocks != 0; blocks &= blocks - 1) follow(std::countr_zero(blocks));
}

void LatticeFilter::follow(int block) {
  const int width = values_.width();
  const std::int64_t vertices = lattice_.vertices();
  std::uint16_t *change = change_.data(), *blurred = given_.block(block);
  parallel_blocks(vertices, [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(gather)
    (lattice_, given_.block(block), slot_blocks_.data(), block, change, width, begin, end);
  });
  std::fill_n(blurred + vertices * width, width, std::uint16_t{0});
  const std::vector<Permutohedral::Neighbours>& axes = lattice_.neighbours();
  for (std::size_t axis = 0; axis + 1 < axes.size(); ++axis) {
    parallel_blocks(vertices, [&](std::int64_t begin, std::int64_t end) {
      HWY_DYNAMIC_DISPATCH(blur)(axes[axis], change, blurred, width, begin, end);
    });
    std::swap(change, blurred);
  }
  float* largest = block == 0 ? nullptr : largest_.data() + (block - 1) * vertices;
  parallel_blocks(vertices, [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(absorb)
    (axes.back(), change, values_.block(block), largest, travels_.data(), width, begin, end);
  });
}

}  // namespace atrous
#endif
