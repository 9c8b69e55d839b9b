// SPDX-License-Identifier: Apache-2.0
#include "refine/lattice_filter.h"

#include <hwy/cache_control.h>

#include <algorithm>

#include "core/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "refine/lattice_filter.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
// after foreach_target
#include "refine/label_vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace atrous::HWY_NAMESPACE {

/// change <- the sums of the changes of points, for the dirty vertices of [begin, end)
template <typename T>
void splat(const Permutohedral& lattice, const ChangingRows& points, const Flags& dirty, T* change,
           std::int64_t begin, std::int64_t end) {
  const std::int64_t pitch = points.change.pitch();
  const std::uint16_t* from = points.change.halves();
  with_blocks(points.change.blocks(), [&](auto n) {
    Row<n> sum(points.change.blocks());
    for (std::int64_t v = begin; v < end; ++v) {
      if (!dirty[v]) continue;
      sum.clear();
      for (const Permutohedral::Share& s : lattice.splats(v)) {
        const std::uint16_t* soon =
            from + (&s)[Permutohedral::kReadAhead].index * pitch;  // far apart in memory
        hwy::Prefetch(soon), hwy::Prefetch(soon + pitch - 1);
        if (points.changed[s.index]) sum.add(from + s.index * pitch, s.weight);
      }
      sum.store_to(change + v * pitch);
    }
  });
}

/// Along whole chains, in place: each change plus half of the one before and half of the one after; where
/// `dirty` is not raised a change is 0 and its row not read.
template <typename T>
void blur(const std::int32_t* chain, const std::int32_t* end, T* change, int blocks, std::uint8_t* dirty) {
  const std::int64_t pitch = std::int64_t{8} * blocks;
  with_blocks(blocks, [&](auto n) {
    const LabelVector half = hn::Set(LabelTag(), 0.5F);
    Row<n> before(blocks), here(blocks);
    for (const std::int32_t* at = chain; at < end;) {
      std::int32_t v = *at;
      bool was_before = false, is_here = dirty[v] != 0;
      before.clear();
      is_here ? here.load_from(change + v * pitch) : here.clear();
      for (bool last = false; !last;) {
        last = *at++ < 0;
        const std::int32_t next = last ? v : *at < 0 ? ~*at : *at;
        const bool is_after = !last && dirty[next] != 0;
        const bool any = was_before || is_here || is_after;
        T *row = change + v * pitch, *row_after = change + next * pitch;
        for (int i = 0; any && i < here.vectors(); ++i) {
          const LabelVector after = is_after ? load(row_after + i * kLanes) : hn::Zero(LabelTag());
          store(hn::MulAdd(half, hn::Add(before.at[i], after), here.at[i]), row + i * kLanes);
          before.at[i] = here.at[i], here.at[i] = after;
        }
        if (any) dirty[v] = 1;
        was_before = is_here, is_here = is_after, v = next;
      }
    }
  });
}

/// values += change at the dirty vertices of [begin, end)
template <typename T>
void absorb(const T* change, T* values, int blocks, float* moved, float* travel, Flags& dirty,
            std::int64_t begin, std::int64_t end) {
  const std::int64_t pitch = std::int64_t{8} * blocks;
  with_blocks(blocks, [&](auto n) {
    Row<n> row(blocks);
    for (std::int64_t v = begin; v < end; ++v) {
      moved[v] = 0;
      if (!dirty[v]) continue;
      dirty.lower(v);
      LabelVector most = hn::Zero(LabelTag());
      row.load_from(values + v * pitch);
      for (int i = 0; i < row.vectors(); ++i) {
        const LabelVector step = load(change + v * pitch + i * kLanes);
        row.at[i] = hn::Add(row.at[i], step);
        most = hn::Max(most, hn::Abs(step));
      }
      row.store_to(values + v * pitch);
      moved[v] = hn::GetLane(hn::MaxOfLanes(LabelTag(), most));
      travel[v] += moved[v];
    }
  });
}

void splat_rows(const Permutohedral& lattice, const ChangingRows& points, const Flags& dirty,
                LabelRows& change, std::int64_t begin, std::int64_t end) {
  change.visit([&](auto* rows) { splat(lattice, points, dirty, rows, begin, end); });
}
void blur_rows(const std::int32_t* chain, const std::int32_t* end, LabelRows& change, std::uint8_t* dirty) {
  change.visit([&](auto* rows) { blur(chain, end, rows, change.blocks(), dirty); });
}
void absorb_rows(const LabelRows& change, LabelRows& values, float* moved, float* travel, Flags& dirty,
                 std::int64_t begin, std::int64_t end) {
  if (values.half())
    absorb(change.halves(), values.halves(), values.blocks(), moved, travel, dirty, begin, end);
  else
    absorb(change.singles(), values.singles(), values.blocks(), moved, travel, dirty, begin, end);
}

}  // namespace atrous::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace atrous {

HWY_EXPORT(splat_rows);
HWY_EXPORT(blur_rows);
HWY_EXPORT(absorb_rows);

namespace {

constexpr float kLargestHalf = 60'000;

}  // namespace

LatticeFilter::LatticeFilter(Permutohedral lattice, std::span<const float> before,
                             std::span<const float> after, float weight, int labels)
    : lattice_(std::move(lattice)),
      values_(lattice_.vertices(), labels,
              lattice_.scale(before, after, weight * lattice_.blur_gain()) < kLargestHalf),
      change_(lattice_.vertices(), labels, values_.half()),
      dirty_(lattice_.vertices(), true),
      reach_(static_cast<std::size_t>(lattice_.cells()), weight * lattice_.blur_gain()),
      moved_(static_cast<std::size_t>(lattice_.vertices()), 0),
      travel_(static_cast<std::size_t>(lattice_.vertices()), 0) {
  values_.clear();
  for (std::int64_t cell = 0; cell < lattice_.cells() && !after.empty(); ++cell) {
    const auto points = after.subspan(static_cast<std::size_t>(cell * Permutohedral::kCell));
    reach_[static_cast<std::size_t>(cell)] *= *std::max_element(
        points.begin(), points.begin() + std::min<std::ptrdiff_t>(Permutohedral::kCell, std::ssize(points)));
  }
}

void LatticeFilter::narrow(std::span<const int> kept) {
  values_ = values_.narrowed(kept, 0);
  change_ = LabelRows(lattice_.vertices(), static_cast<int>(kept.size()), values_.half());
}

void LatticeFilter::follow(const ChangingRows& points) {
  parallel_blocks(lattice_.vertices(), [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(splat_rows)(lattice_, points, dirty_, change_, begin, end);
  });
  for (int axis = 0; axis < lattice_.corners(); ++axis) {
    const Permutohedral::Chains& chains = lattice_.chains(axis);
    parallel_for(static_cast<std::int64_t>(chains.blocks.size()) - 1, [&](std::int64_t b) {
      const std::int32_t* begin = chains.vertices.data() + chains.blocks[static_cast<std::size_t>(b)];
      const std::int32_t* end = chains.vertices.data() + chains.blocks[static_cast<std::size_t>(b) + 1];
      HWY_DYNAMIC_DISPATCH(blur_rows)(begin, end, change_, dirty_.data());
    });
  }
  parallel_blocks(lattice_.vertices(), [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(absorb_rows)(change_, values_, moved_.data(), travel_.data(), dirty_, begin, end);
  });
}

}  // namespace atrous
#endif
