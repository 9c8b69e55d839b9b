// SPDX-License-Identifier: Apache-2.0
#include "refine/lattice_filter.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "refine/lattice_filter.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
// after foreach_target
#include "refine/label_vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace atrous::HWY_NAMESPACE {

constexpr int kBlock = LabelRows::kBlock;

/// change <- the sums of what the vertices [begin, end) were given of a block, which is then taken
void gather(const Permutohedral& lattice, const std::uint16_t* given, std::uint32_t* blocks, int block,
            std::uint16_t* change, std::int64_t begin, std::int64_t end) {
  std::fill(change + begin * kBlock, change + end * kBlock, std::uint16_t{0});
  for (std::int64_t slot = lattice.first_slot(begin); slot < lattice.first_slot(end); ++slot) {
    if ((blocks[slot] >> block & 1U) == 0) continue;
    blocks[slot] &= ~(1U << block);
    std::uint16_t* sum = change + std::int64_t{lattice.slot_vertex(slot)} * kBlock;
    (Labels::load(sum) + Labels::load(given + slot * kBlock)).store(sum);
  }
}

/// to <- each vertex's value plus half of those of its neighbours, for [begin, end)
void blur(const Permutohedral::Neighbours& neighbours, const std::uint16_t* from, std::uint16_t* to,
          std::int64_t begin, std::int64_t end) {
  const std::int32_t *before = neighbours.before.data(), *after = neighbours.after.data();
  for (std::int64_t v = begin; v < end; ++v) {
    const Labels sides = Labels::load(from + std::int64_t{before[v]} * kBlock) +
                         Labels::load(from + std::int64_t{after[v]} * kBlock);
    Labels::load(from + v * kBlock).plus(0.5F, sides).store(to + v * kBlock);
  }
}

/// values += change for the vertices [begin, end)
void absorb(const std::uint16_t* change, std::uint16_t* values, float* largest, float* travels,
            std::int64_t begin, std::int64_t end) {
  for (std::int64_t v = begin; v < end; ++v) {
    const Labels step = Labels::load(change + v * kBlock), sum = Labels::load(values + v * kBlock) + step;
    sum.store(values + v * kBlock);
    largest[v] = std::max(sum.largest(), 0.0F);
    travels[v] += step.magnitude().largest();
  }
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
      given_(lattice_.slots(), labels),
      change_(static_cast<std::size_t>((lattice_.vertices() + 1) * LabelRows::kBlock), 0),
      blurred_(change_),
      largest_(static_cast<std::size_t>(lattice_.vertices() * LabelRows::blocks_of(labels)), 0),
      travels_(static_cast<std::size_t>(lattice_.vertices()), 0),
      given_blocks_(static_cast<std::size_t>(lattice_.slots()), 0),
      cell_blocks_(static_cast<std::size_t>(lattice_.cells()), 0) {
  values_.clear();
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
  std::uint32_t blocks = 0;
  for (std::uint32_t& of_cell : cell_blocks_) {
    blocks |= of_cell;
    of_cell = 0;
  }
  for (; blocks != 0; blocks &= blocks - 1) follow(std::countr_zero(blocks));
}

void LatticeFilter::follow(int block) {
  parallel_blocks(lattice_.vertices(), [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(gather)
    (lattice_, given_.block(block), given_blocks_.data(), block, change_.data(), begin, end);
  });
  for (int axis = 0; axis < lattice_.corners(); ++axis) {
    parallel_blocks(lattice_.vertices(), [&](std::int64_t begin, std::int64_t end) {
      HWY_DYNAMIC_DISPATCH(blur)
      (lattice_.neighbours(axis), change_.data(), blurred_.data(), begin, end);
    });
    change_.swap(blurred_);
  }
  parallel_blocks(lattice_.vertices(), [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(absorb)
    (change_.data(), values_.block(block), largest_.data() + block * lattice_.vertices(), travels_.data(),
     begin, end);
  });
}

}  // namespace atrous
#endif
