// SPDX-License-Identifier: Apache-2.0
#include "refine/mean_field.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

#include "core/half.h"
#include "core/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "refine/mean_field.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
// after foreach_target
#include "refine/label_vector-inl.h"

#ifndef ATROUS_REFINE_MEAN_FIELD_CELL
#define ATROUS_REFINE_MEAN_FIELD_CELL
namespace atrous {

constexpr int kBlock = LabelRows::kBlock;
constexpr std::int64_t kCell = Permutohedral::kCell;

/// What a step reads and writes of all points.
struct MeanFieldStep {
  static constexpr int kBatch = 64;

  std::span<LatticeFilter> filters;
  const LabelRows& energy;
  LabelRows& q;
  const std::uint16_t* least;
  std::uint32_t* live;
  float* alarms;
  const CrfParams& params;
  std::int64_t points;
  int labels;
  float reach;  // what a move of scores is of one of K q, at most: its inverse
  bool first, last;
};

/// What a thread works in.
struct CellScratch {
  CellScratch(std::int64_t vertices, int labels)
      : values(static_cast<std::size_t>(vertices * LabelRows::blocks_of(labels) * kBlock)),
        sums(values.size()),
        travels(static_cast<std::size_t>(vertices)),
        fresh(static_cast<std::size_t>(LabelRows::blocks_of(labels) * MeanFieldStep::kBatch * kBlock)) {}

  LargeVector<float> values, sums;  ///< of the cell's vertices in all filters, as in LabelRows
  LargeVector<float> travels;       ///< of the cell's vertices
  LargeVector<float> fresh;         ///< scores, then probabilities of a batch of points, as in LabelRows
};

}  // namespace atrous
#endif

HWY_BEFORE_NAMESPACE();
namespace atrous::HWY_NAMESPACE {

/// exp(x) for x <= 0 within 3e-7 relative, at least 2^-64, which times a share is no denormal number: 2^i *
/// 2^f, i the nearest whole number.
HWY_INLINE LabelVector exp_below_0(LabelVector x) {
  const LabelTag tag;
  const LabelVector power = hn::Max(hn::Mul(x, hn::Set(tag, 1.44269504F)), hn::Set(tag, -64.0F));
  const LabelVector whole = hn::Round(power), f = hn::Sub(power, whole);
  LabelVector p = hn::Set(tag, 1.3333558e-3F);
  for (float c : {9.6181291e-3F, 5.5504109e-2F, 2.4022651e-1F, 6.9314718e-1F, 1.0F})
    p = hn::MulAdd(p, f, hn::Set(tag, c));
  const auto exponent = hn::ShiftLeft<23>(hn::ConvertTo(hn::RebindToSigned<LabelTag>(), whole));
  return hn::BitCast(tag, hn::Add(hn::BitCast(hn::RebindToSigned<LabelTag>(), p), exponent));
}

/// A step at the points of a cell: messages, softmax, and what the filters are given.
class CellStep {
 public:
  CellStep(const MeanFieldStep& step, std::int64_t cell, CellScratch& scratch)
      : step_(step),
        cell_(cell),
        scratch_(scratch),
        blocks_(LabelRows::blocks_of(step.labels)),
        every_(blocks_ == LabelRows::kMostBlocks ? ~0U : (1U << blocks_) - 1),
        potts_(step.params.compatibility.empty()) {
    for (LatticeFilter& filter : step.filters) {
      const Permutohedral& lattice = filter.lattice();
      terms_.push_back(
          {&filter, rows_, lattice.shares(cell), lattice.corners(), filter.takes(cell), filter.gains(cell)});
      rows_ += static_cast<std::int64_t>(lattice.cell_vertices(cell).size());
      corners_ += lattice.corners();
    }
    float* travels = scratch.travels.data();
    for (const Term& term : terms_)
      for (const std::int32_t v : term.filter->lattice().cell_vertices(cell))
        *travels++ = term.filter->travels()[v];
    weights_.resize(static_cast<std::size_t>(corners_ * kBatch));
    places_.resize(weights_.size());
    for (int b = 1; b < blocks_; ++b)
      for (const Term& term : terms_) reach_.push_back(largest(term, b) * Permutohedral::kWhole);
  }

  void run() {
    const std::int64_t first = cell_ * kCell, count = std::min(kCell, step_.points - first);
    for (std::int64_t begin = 0; begin < count; begin += kBatch)
      step(first + begin, static_cast<int>(std::min<std::int64_t>(kBatch, count - begin)));
    if (!step_.last) hand_over();
  }

 private:
  /// Points that go through each part of a step together: what a part decides, of many points, is known
  /// before the next branches on it.
  static constexpr int kBatch = MeanFieldStep::kBatch;
  using PointTag = hn::CappedTag<float, 16>;
  static constexpr int kPointLanes = static_cast<int>(hn::MaxLanes(PointTag()));

  struct Term {
    LatticeFilter* filter;
    std::int64_t row;  // in the scratch, of its first vertex
    Permutohedral::Shares shares;
    int corners;
    const float *takes, *gains;
  };

  float* values(int block) { return scratch_.values.data() + block * rows_ * kBlock; }
  float* sums(int block) { return scratch_.sums.data() + block * rows_ * kBlock; }

  float largest(const Term& term, int block) const {
    float most = 0;
    if (step_.first || !potts_) return most;
    for (const std::int32_t v : term.filter->lattice().cell_vertices(cell_))
      most = std::max(most, term.filter->largest(block)[v]);
    return most;
  }

  /// The weights of kBatch points' shares, times `takes`, where in the scratch their vertices are, and how
  /// far the points' messages can have moved since they were 0.
  void decode(std::int64_t begin, float* travels) {
    const PointTag tag;
    const hn::RebindToSigned<PointTag> whole;
    const hn::Rebind<std::uint16_t, PointTag> narrow;
    std::size_t to = 0;
    for (const Term& term : terms_)
      for (int r = 0; r < term.corners; ++r)
        for (int l = 0; l < kBatch; l += kPointLanes, to += kPointLanes) {
          const std::int64_t at = begin + l, share = r * kCell + at;
          const auto weight =
              hn::ConvertTo(tag, hn::PromoteTo(whole, hn::LoadU(narrow, term.shares.weights + share)));
          const auto taken = hn::Mul(weight, hn::LoadU(tag, term.takes + at));
          hn::StoreU(taken, tag, weights_.data() + to);
          const auto vertex = hn::PromoteTo(whole, hn::LoadU(narrow, term.shares.vertices + share));
          const auto row = hn::Add(vertex, hn::Set(whole, static_cast<std::int32_t>(term.row)));
          hn::StoreU(hn::ShiftLeft<3>(row), whole, places_.data() + to);
          const auto travel = hn::GatherIndex(tag, scratch_.travels.data(), row);
          hn::StoreU(hn::MulAdd(taken, travel, hn::LoadU(tag, travels + l)), tag, travels + l);
        }
  }

  /// Fetches the values of the cell's vertices.
  void load_block(int block) {
    if ((loaded_ >> block & 1U) != 0) return;
    loaded_ |= 1U << block;
    float* to = values(block);
    for (const Term& term : terms_) {
      const std::uint16_t* from = term.filter->values().block(block);
      for (const std::int32_t v : term.filter->lattice().cell_vertices(cell_)) {
        Labels::load(from + std::int64_t{v} * kBlock).store(to);
        to += kBlock;
      }
    }
  }

  /// Which blocks but the first a batch's points need, whose best scores in the first are given: those whose
  /// best label is above exp(best) * prune / kBlock.
  void find_needed(std::int64_t begin, const float* best, std::uint32_t* needed) const {
    const PointTag tag;
    const hn::Rebind<hwy::float16_t, PointTag> half;
    const float prune = step_.params.prune;
    const auto margin =
        hn::Set(tag, prune > 0 ? std::log(prune / kBlock) : -std::numeric_limits<float>::max());
    const float* reach = reach_.data();
    for (int b = 1; b < blocks_; ++b, reach += terms_.size())
      for (int l = 0; l < kBatch; l += kPointLanes) {
        const std::int64_t at = begin + l;
        const auto* least = reinterpret_cast<const hwy::float16_t*>(step_.least) +
                            (b * ((step_.points + kCell - 1) / kCell) + cell_) * kCell + at;
        auto score = hn::Neg(hn::PromoteTo(tag, hn::LoadU(half, least)));
        for (std::size_t m = 0; m < terms_.size(); ++m)
          score = hn::MulAdd(hn::Set(tag, reach[m]), hn::LoadU(tag, terms_[m].takes + at), score);
        const auto above = hn::Gt(score, hn::Add(hn::LoadU(tag, best + l), margin));
        if (hn::AllFalse(tag, above)) continue;
        HWY_ALIGN float flags[kPointLanes];
        hn::Store(hn::IfThenElseZero(above, hn::Set(tag, 1)), tag, flags);
        for (int i = 0; i < kPointLanes; ++i) needed[l + i] |= flags[i] != 0 ? 1U << b : 0;
      }
  }

  /// Points of a batch that the same blocks are computed of.
  struct Group {
    void list_blocks(std::uint32_t bits) {
      for (; bits != 0; bits &= bits - 1) blocks[count++] = std::countr_zero(bits);
    }
    int count = 0, blocks[LabelRows::kMostBlocks];
    int size = 0, members[kBatch];
  };

  /// A step of `count` points from `begin` on.
  void step(std::int64_t begin, int count) {
    HWY_ALIGN float travels[kBatch] = {}, best[kBatch] = {};
    decode(begin - cell_ * kCell, travels);
    int active[kBatch], size = 0;
    for (int i = 0; i < count; ++i) {
      active[size] = i;
      size += step_.first || travels[i] >= step_.alarms[begin + i] ? 1 : 0;
    }
    if (size == 0) return;
    std::uint32_t needed[kBatch];
    std::fill_n(needed, kBatch, potts_ ? 1U : every_);
    if (potts_) {
      const int first = 0;
      for (int k = 0; k < size; ++k) best[active[k]] = score<1>(&first, 0, begin, active[k]);
      find_needed(begin - cell_ * kCell, best, needed);
    }
    Group narrow, wide;
    std::uint32_t of_wide = 0;
    for (int k = 0; k < size; ++k) {
      std::uint32_t& live = step_.live[begin + active[k]];
      const std::uint32_t computed = needed[active[k]] | live;
      live = needed[active[k]];
      narrow.members[narrow.size] = wide.members[wide.size] = active[k];
      narrow.size += computed == 1 ? 1 : 0, wide.size += computed == 1 ? 0 : 1;
      of_wide |= computed == 1 ? 0 : computed;
    }
    narrow.list_blocks(1);
    wide.list_blocks(of_wide);
    for (const Group* group : {&narrow, &wide}) compute(*group, begin, travels);
  }

  /// q of a group <- the softmax of its scores, of which for Potts those of the first block are known.
  void compute(const Group& group, std::int64_t begin, const float* travels) {
    each_few(group.count, potts_ ? 1 : 0, [&](auto n, int j) {
      for (int k = 0; k < group.size; ++k) score<n>(group.blocks + j, j, begin, group.members[k]);
    });
    for (int k = 0; k < group.size && !potts_; ++k) apply_compatibility(begin, group.members[k]);
    int one[kBatch], ones = 0;  // points of which the first block alone changes
    int all[kBatch], alls = 0;  // and those of which others do
    with_count(group.count, [&](auto n) {
      for (int k = 0; k < group.size; ++k) {
        const int i = group.members[k];
        const std::uint32_t moved = settle<n>(group, begin, i, travels[i]);
        one[ones] = all[alls] = i;
        ones += moved == 1 ? 1 : 0, alls += moved > 1 ? 1 : 0;
      }
    });
    if (ones > 0) open_sums<1>(group.blocks);
    for (int k = 0; k < ones; ++k) take_over<1>(group.blocks, 0, begin, one[k]);
    each_few(alls > 0 ? group.count : 0, 0, [&](auto n, int j) {
      open_sums<n>(group.blocks + j);
      for (int k = 0; k < alls; ++k) take_over<n>(group.blocks + j, j, begin, all[k]);
    });
  }

  /// f(n) with n as a constant: the number of blocks where those of a point fit the registers, else 0.
  template <typename F>
  static void with_count(int count, const F& f) {
    switch (count) {
      case 1:
        return f(std::integral_constant<int, 1>());
      case 2:
        return f(std::integral_constant<int, 2>());
      case 3:
        return f(std::integral_constant<int, 3>());
      case 4:
        return f(std::integral_constant<int, 4>());
      default:
        return f(std::integral_constant<int, 0>());
    }
  }
  /// f(n, j) for n of the blocks from the j-th on, with n as a constant from 1 to 4.
  template <typename F>
  static void each_few(int count, int j, const F& f) {
    for (; j < count; j += 4)
      with_count(std::min(count - j, 4), [&](auto n) {
        if constexpr (n > 0) f(n, j);
      });
  }

  float* fresh(int j, int i) { return scratch_.fresh.data() + (j * kBatch + i) * kBlock; }
  std::uint16_t* row(int block, std::int64_t point) { return step_.q.block(block) + point * kBlock; }

  /// fresh, from the j-th on <- M - energy of n blocks, for Potts; else K q. Returns the first's largest.
  template <int n>
  HWY_INLINE float score(const int* blocks, int j, std::int64_t begin, int i) {
    Labels sum[n];
    const float* from[n];
    for (int b = 0; b < n; ++b) sum[b] = Labels::all(0), from[b] = values(blocks[b]);
    if (!step_.first) {
      for (int b = 0; b < n; ++b) load_block(blocks[b]);
      const float* weights = weights_.data();
      const std::int32_t* places = places_.data();
      for (int at = i; at < corners_ * kBatch; at += kBatch)
        for (int b = 0; b < n; ++b) sum[b] = sum[b].plus(weights[at], Labels::load(from[b] + places[at]));
    }
    for (int b = 0; b < n; ++b) {
      if (potts_) sum[b] = sum[b] - Labels::load(step_.energy.block(blocks[b]) + (begin + i) * kBlock);
      sum[b].store(fresh(j + b, i));
    }
    return sum[0].largest();
  }

  /// fresh, of all blocks <- -mu * fresh - energy
  void apply_compatibility(std::int64_t begin, int i) {
    HWY_ALIGN float given[kMostLabels], result[kMostLabels] = {};
    for (int b = 0; b < blocks_; ++b) Labels::load(fresh(b, i)).store(given + b * kBlock);
    for (int a = 0; a < step_.labels; ++a)
      for (int b = 0; b < step_.labels; ++b)
        result[a] -= step_.params.compatibility[static_cast<std::size_t>(a * step_.labels + b)] * given[b];
    for (int b = 0; b < blocks_; ++b)
      (Labels::load(result + b * kBlock) - Labels::load(step_.energy.block(b) + (begin + i) * kBlock))
          .store(fresh(b, i));
  }

  /// fresh <- its softmax. A bit for each of the group's blocks in which a probability moves by more than
  /// `stop`. The point, whose messages have travelled so far, is not active again before they could move one
  /// by that much.
  template <int n>
  HWY_INLINE std::uint32_t settle(const Group& group, std::int64_t begin, int i, float travel) {
    const int count = n > 0 ? n : group.count;
    auto larger = [](auto a, auto b) { return hn::Max(a, b); };
    Labels at[n > 0 ? n : LabelRows::kMostBlocks];
    for (int j = 0; j < count; ++j) at[j] = Labels::load(fresh(j, i));
    Labels most = at[0], sum = Labels::all(0);
    for (int j = 1; j < count; ++j) most = most.combine(at[j], larger);
    const Labels origin = Labels::all(most.largest());
    for (int j = 0; j < count; ++j) {
      at[j] = (at[j] - origin).map(exp_below_0);
      sum = sum + at[j];
    }
    const float total = sum.total(), share = 1 / total;
    std::uint32_t moved = 0;
    const float stop = step_.first ? -1 : step_.params.stop;
    for (int j = 0; j < count; ++j) {
      at[j] = (at[j] * share).rounded();
      at[j].store(fresh(j, i));
      const Labels move = at[j] - Labels::load(row(group.blocks[j], begin + i));
      moved |= move.magnitude().any_above(stop) ? 1U << j : 0;
    }
    // messages that move by up to t multiply the probability of all labels but the best by up to exp(2 t),
    // and ln(1 + x) >= 2 x / (2 + x); what is left out for being improbable must stay so, too
    const float rest = (total - 1) * share, x = step_.params.stop / std::max(rest, 1e-9F);
    step_.alarms[begin + i] = travel + step_.reach * std::min(x / (2 + x), 0.5F);
    return moved;
  }

  /// Sums of what vertices are given, at first 0.
  template <int n>
  void open_sums(const int* blocks) {
    if (step_.last) return;
    for (int b = 0; b < n; ++b) {
      if ((given_ >> blocks[b] & 1U) != 0) continue;
      std::fill_n(sums(blocks[b]), rows_ * kBlock, 0.0F);
      given_ |= 1U << blocks[b];
    }
  }

  /// q of n blocks <- fresh, from the j-th on; what it changes by is added to the sums of the point's
  /// vertices.
  template <int n>
  HWY_INLINE void take_over(const int* blocks, int j, std::int64_t begin, int i) {
    Labels change[n];
    float* all[n];
    for (int b = 0; b < n; ++b) {
      std::uint16_t* q = row(blocks[b], begin + i);
      const Labels now = Labels::load(fresh(j + b, i));
      change[b] = now - Labels::load(q);
      now.store(q);
      all[b] = sums(blocks[b]);
    }
    if (step_.last) return;
    const float* weights = weights_.data();
    const std::int32_t* places = places_.data();
    int at = i;
    for (const Term& term : terms_) {
      const float gain = term.gains[begin - cell_ * kCell + i];
      for (int r = 0; r < term.corners; ++r, at += kBatch) {
        const float weight = weights[at] * gain;
        for (int b = 0; b < n; ++b) {
          float* sum = all[b] + places[at];
          Labels::load(sum).plus(weight, change[b]).store(sum);
        }
      }
    }
  }

  /// Leaves the sums in the filters' slots.
  void hand_over() {
    for (const Term& term : terms_) {
      term.filter->cell_blocks(cell_) = given_;
      std::uint32_t* blocks = term.filter->given_blocks();
      const std::span<const std::int32_t> slots = term.filter->lattice().cell_slots(cell_);
      for (const std::int32_t slot : slots) blocks[slot] = 0;
      for (std::uint32_t rest = given_; rest != 0; rest &= rest - 1) {
        const int block = std::countr_zero(rest);
        std::uint16_t* given = term.filter->given().block(block);
        const float* from = sums(block) + term.row * kBlock;
        for (const std::int32_t slot : slots) {
          const Labels sum = Labels::load(from);
          from += kBlock;
          if (sum.is_zero()) continue;
          sum.store(given + std::int64_t{slot} * kBlock);
          blocks[slot] |= 1U << block;
        }
      }
    }
  }

  const MeanFieldStep& step_;
  const std::int64_t cell_;
  CellScratch& scratch_;
  const int blocks_;
  const std::uint32_t every_;
  const bool potts_;
  std::vector<Term> terms_;
  std::int64_t rows_ = 0;
  int corners_ = 0;
  std::vector<float> weights_;        // of a batch: corners of all terms x kBatch
  std::vector<std::int32_t> places_;  // likewise, in a block of the scratch
  std::vector<float> reach_;          // of the blocks but the first: a message's bound by takes, a term
  std::uint32_t loaded_ = 0, given_ = 0;
  std::uint32_t needed_[kBatch],
      gone_[kBatch];  // of the batch's points, bits of blocks: with probabilities from now on, and no more
};

void step_cell(const MeanFieldStep& step, std::int64_t cell, CellScratch& scratch) {
  CellStep(step, cell, scratch).run();
}

/// Points [begin, end): energies in the order of `labels`, less the smallest, and behind them infinity; and
/// the smallest of every block.
void set_energies(const ScoreMap& unary, const std::int32_t* order, std::span<const std::int32_t> labels,
                  std::int64_t begin, std::int64_t end, std::int64_t pitch, LabelRows& energy,
                  std::uint16_t* least) {
  const int blocks = LabelRows::blocks_of(unary.classes);
  HWY_ALIGN float padding[kBlock];
  for (int k = 0; k < kBlock; ++k)
    padding[k] = (blocks - 1) * kBlock + k < unary.classes ? 0 : std::numeric_limits<float>::infinity();
  const Labels pad = Labels::load(padding);
  auto smaller = [](auto a, auto b) { return hn::Min(a, b); };
  Labels row[LabelRows::kMostBlocks];
  for (std::int64_t i = begin; i < end; ++i) {
    const float* from = unary.pixel(static_cast<std::size_t>(order[i]));
    Labels smallest = Labels::all(std::numeric_limits<float>::max());
    for (int b = 0; b < blocks; ++b) {
      row[b] = Labels::gather(from, labels.data() + b * kBlock);
      smallest = smallest.combine(row[b], smaller);
    }
    const Labels origin = Labels::all(smallest.smallest());
    for (int b = 0; b < blocks; ++b) {
      row[b] = (row[b] - origin).combine(Labels::all(60'000), smaller);
      if (b == blocks - 1) row[b] = row[b] + pad;
      row[b].store(energy.block(b) + i * kBlock);
      if (b > 0) least[b * pitch + i] = float_to_half(row[b].smallest());
    }
  }
}

/// Points [begin, end) of the map <- their probabilities, divided by their sum; `places`: where each label is
/// in the rows.
void write_points(const LabelRows& q, std::span<const std::int32_t> places, const std::int32_t* order,
                  std::int64_t begin, std::int64_t end, ScoreMap& map) {
  const int blocks = LabelRows::blocks_of(map.classes);
  HWY_ALIGN float row[kMostLabels];
  for (std::int64_t i = begin; i < end; ++i) {
    Labels sum = Labels::all(0);
    for (int b = 0; b < blocks; ++b) {
      const Labels values = Labels::load(q.block(b) + i * kBlock);
      values.store(row + b * kBlock);
      sum = sum + values;
    }
    const float share = 1 / sum.total();
    float* pixel = map.pixel(static_cast<std::size_t>(order[i]));
    int l = 0;
    for (; l + kBlock <= map.classes; l += kBlock)
      (Labels::gather(row, places.data() + l) * share).store(pixel + l);
    for (; l < map.classes; ++l) pixel[l] = row[places[static_cast<std::size_t>(l)]] * share;
  }
}

}  // namespace atrous::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace atrous {

HWY_EXPORT(step_cell);
HWY_EXPORT(set_energies);
HWY_EXPORT(write_points);

namespace {

/// The labels, those with the most probability on a few thousand pixels first.
std::vector<std::int32_t> by_probability(const ScoreMap& unary) {
  constexpr std::size_t kSamples = 4096;
  std::vector<float> sums(static_cast<std::size_t>(unary.classes));
  for (std::size_t i = 0; i < unary.pixels(); i += unary.pixels() / kSamples + 1) {
    const float* energy = unary.pixel(i);
    const float least = *std::min_element(energy, energy + unary.classes);
    for (std::size_t l = 0; l < sums.size(); ++l) sums[l] += std::exp(least - energy[l]);
  }
  std::vector<std::int32_t> labels(sums.size());
  std::iota(labels.begin(), labels.end(), 0);
  std::stable_sort(labels.begin(), labels.end(), [&](int a, int b) {
    return sums[static_cast<std::size_t>(a)] > sums[static_cast<std::size_t>(b)];
  });
  return labels;
}

/// What a move of the messages K q is multiplied by, at most.
float largest_compatibility(std::span<const float> mu, int labels) {
  float largest = 1;
  for (; !mu.empty(); mu = mu.subspan(static_cast<std::size_t>(labels))) {
    float sum = 0;
    for (const float m : mu.first(static_cast<std::size_t>(labels))) sum += std::abs(m);
    largest = std::max(largest, sum);
  }
  return largest;
}

}  // namespace

MeanField::MeanField(const ScoreMap& unary, std::vector<std::int32_t> order,
                     std::vector<LatticeFilter> filters, const CrfParams& params)
    : order_(std::move(order)),
      filters_(std::move(filters)),
      params_(params),
      labels_(by_probability(unary)),
      energy_(std::ssize(order_), unary.classes),
      q_(std::ssize(order_), unary.classes),
      live_(order_.size(), 1),
      alarms_(order_.size()) {
  q_.clear();
  if (!params.compatibility.empty()) std::iota(labels_.begin(), labels_.end(), 0);
  std::vector<std::int32_t> gathered = labels_;  // whole blocks
  gathered.resize(static_cast<std::size_t>(LabelRows::blocks_of(unary.classes) * kBlock), labels_.front());
  const std::int64_t cells = filters_.front().lattice().cells();
  least_.resize(static_cast<std::size_t>(LabelRows::blocks_of(unary.classes) * cells * kCell));
  parallel_blocks(std::ssize(order_), [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(set_energies)
    (unary, order_.data(), gathered, begin, end, cells * kCell, energy_, least_.data());
  });
  for (std::int64_t cell = 0; cell < cells; ++cell) {
    std::int64_t vertices = 0;
    for (const LatticeFilter& filter : filters_) vertices += std::ssize(filter.lattice().cell_vertices(cell));
    most_vertices_ = std::max(most_vertices_, vertices);
  }
}

void MeanField::filter() {
  for (LatticeFilter& filter : filters_) filter.follow();
}

void MeanField::update(bool last) {
  const int labels = static_cast<int>(labels_.size());
  const MeanFieldStep step{filters_,     energy_,
                           q_,           least_.data(),
                           live_.data(), alarms_.data(),
                           params_,      std::ssize(order_),
                           labels,       1 / largest_compatibility(params_.compatibility, labels),
                           first_,       last};
  const std::int64_t cells = filters_.front().lattice().cells();
  parallel_for(cells, [&](std::int64_t cell) {
    CellScratch scratch(most_vertices_, labels);
    HWY_DYNAMIC_DISPATCH(step_cell)(step, cell, scratch);
  });
  first_ = false;
}

void MeanField::write_to(ScoreMap& map) const {
  std::vector<std::int32_t> places(labels_.size());
  for (std::size_t k = 0; k < labels_.size(); ++k)
    places[static_cast<std::size_t>(labels_[k])] = static_cast<std::int32_t>(k);
  parallel_blocks(std::ssize(order_), [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(write_points)(q_, places, order_.data(), begin, end, map);
  });
}

}  // namespace atrous
#endif
