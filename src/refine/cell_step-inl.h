// SPDX-License-Identifier: Apache-2.0
// A step of mean_field.h at the points of one cell. Included once an instruction set, as label_vector-inl.h.
#if defined(ATROUS_REFINE_CELL_STEP_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ATROUS_REFINE_CELL_STEP_INL_H
#undef ATROUS_REFINE_CELL_STEP_INL_H
#else
#define ATROUS_REFINE_CELL_STEP_INL_H
#endif

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "refine/cell_step.h"
#include "refine/label_vector-inl.h"

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
    weights_.resize(static_cast<std::size_t>(corners_ * kBatch));
    places_.resize(weights_.size());
  }

  void run() {
    find_active();
    if (active_.empty()) return;
    find_rows();
    for (std::size_t begin = 0; begin < active_.size();) {
      const std::int64_t batch = active_[begin] / kBatch;
      std::size_t end = begin;
      while (end < active_.size() && active_[end] / kBatch == batch) ++end;
      step(batch * kBatch, {active_.data() + begin, active_.data() + end});
      begin = end;
    }
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
    std::vector<std::int32_t> touched{};  // those of its vertices that enclose active points
  };

  float* values(int block) { return scratch_.values.data() + block * rows_ * kBlock; }
  float* sums(int block) { return scratch_.sums.data() + block * rows_ * kBlock; }

  float largest(const Term& term, int block) const {
    float most = 0;
    if (step_.first) return most;
    const std::span<const std::int32_t> vertices = term.filter->lattice().cell_vertices(cell_);
    for (const std::int32_t row : term.touched)
      most = std::max(most, term.filter->largest(block)[vertices[static_cast<std::size_t>(row)]]);
    return most;
  }

  /// active_ <- the cell's points whose messages can have moved by more than they have patience for.
  void find_active() {
    const std::int64_t count = std::min(kCell, step_.points - cell_ * kCell);
    float* const travels = scratch_.travels.data();
    std::fill_n(travels, kCell, 0.0F);
    const PointTag tag;
    const hn::RebindToSigned<PointTag> whole;
    const hn::Rebind<std::uint16_t, PointTag> narrow;
    for (const Term& term : terms_) {
      if (step_.first) break;
      float* to = scratch_.vertex_travels.data();
      for (const std::int32_t v : term.filter->lattice().cell_vertices(cell_))
        *to++ = term.filter->travels()[v];
      for (std::int64_t i = 0; i < count; i += kPointLanes) {
        auto sum = hn::Zero(tag);
        for (int r = 0; r < term.corners; ++r) {
          const auto weight = hn::ConvertTo(
              tag, hn::PromoteTo(whole, hn::LoadU(narrow, term.shares.weights + r * kCell + i)));
          const auto vertex = hn::PromoteTo(whole, hn::LoadU(narrow, term.shares.vertices + r * kCell + i));
          sum = hn::MulAdd(weight, hn::GatherIndex(tag, scratch_.vertex_travels.data(), vertex), sum);
        }
        hn::StoreU(hn::MulAdd(sum, hn::LoadU(tag, term.takes + i), hn::LoadU(tag, travels + i)), tag,
                   travels + i);
      }
    }
    active_.resize(static_cast<std::size_t>(count));
    std::size_t size = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      active_[size] = static_cast<std::int32_t>(i);
      size += step_.first || travels[i] >= step_.alarms[cell_ * kCell + i] ? 1 : 0;
    }
    active_.resize(size);
  }

  /// The vertices around active points; all, where that is sooner said.
  void find_rows() {
    for (Term& term : terms_) {
      const auto vertices = term.filter->lattice().cell_vertices(cell_).size();
      term.touched.reserve(vertices);
      const bool few = active_.size() * static_cast<std::size_t>(term.corners) < vertices;
      std::vector<std::uint8_t> listed(vertices, few ? 0 : 1);
      for (const std::int32_t i : active_)
        for (int r = 0; r < term.corners && few; ++r) listed[term.shares.vertices[r * kCell + i]] = 1;
      for (std::size_t v = 0; v < vertices; ++v)
        if (listed[v] != 0) term.touched.push_back(static_cast<std::int32_t>(v));
    }
  }

  /// The weights of kBatch points' shares, times `takes`, and where in the scratch their vertices are.
  void decode(std::int64_t begin) {
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
          hn::StoreU(hn::Mul(weight, hn::LoadU(tag, term.takes + at)), tag, weights_.data() + to);
          const auto vertex = hn::PromoteTo(whole, hn::LoadU(narrow, term.shares.vertices + share));
          const auto row = hn::Add(vertex, hn::Set(whole, static_cast<std::int32_t>(term.row)));
          hn::StoreU(hn::ShiftLeft<3>(row), whole, places_.data() + to);
        }
  }

  /// Fetches the values of the touched vertices.
  void load_block(int block) {
    if ((loaded_ >> block & 1U) != 0) return;
    loaded_ |= 1U << block;
    for (const Term& term : terms_) {
      const std::uint16_t* from = term.filter->values().block(block);
      const std::span<const std::int32_t> vertices = term.filter->lattice().cell_vertices(cell_);
      float* to = values(block) + term.row * kBlock;
      for (const std::int32_t row : term.touched)
        Labels::load(from + std::int64_t{vertices[static_cast<std::size_t>(row)]} * kBlock)
            .store(to + row * kBlock);
    }
  }

  /// Which blocks but the first a batch's points need, whose best scores in the first are given: those whose
  /// best label is above exp(best) * prune / kBlock.
  void find_needed(std::int64_t begin, const float* best, std::uint32_t* needed) {
    if (reach_.empty())
      for (int b = 1; b < blocks_; ++b)
        for (const Term& term : terms_) reach_.push_back(largest(term, b) * Permutohedral::kWhole);
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

  /// A step of points that are `members` of the cell, all of the batch from `from` on.
  void step(std::int64_t from, std::span<const std::int32_t> members) {
    HWY_ALIGN float best[kBatch] = {};
    decode(from);
    const std::int64_t begin = cell_ * kCell + from;
    const int size = static_cast<int>(members.size());
    int active[kBatch];
    for (int k = 0; k < size; ++k) active[k] = static_cast<int>(members[static_cast<std::size_t>(k)] - from);
    std::uint32_t needed[kBatch];
    std::fill_n(needed, kBatch, potts_ ? 1U : every_);
    if (potts_) {
      const int first = 0;
      for (int k = 0; k < size; ++k) best[active[k]] = score<1>(&first, 0, begin, active[k]);
      find_needed(from, best, needed);
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
    for (const Group* group : {&narrow, &wide}) compute(*group, begin);
  }

  /// q of a group <- the softmax of its scores, of which for Potts those of the first block are known.
  void compute(const Group& group, std::int64_t begin) {
    const float* travels = scratch_.travels.data() + (begin - cell_ * kCell);
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
      for (const Term& term : terms_) {
        float* to = sums(blocks[b]) + term.row * kBlock;
        for (const std::int32_t row : term.touched) Labels::all(0).store(to + row * kBlock);
      }
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
      for (std::uint32_t rest = given_; rest != 0; rest &= rest - 1) {
        const int block = std::countr_zero(rest);
        std::uint16_t* given = term.filter->given().block(block);
        const float* from = sums(block) + term.row * kBlock;
        for (const std::int32_t row : term.touched) {
          const Labels sum = Labels::load(from + row * kBlock);
          if (sum.is_zero()) continue;
          const std::int64_t slot = slots[static_cast<std::size_t>(row)];
          sum.store(given + slot * kBlock);
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
  std::vector<std::int32_t> active_;  // points of the cell
  std::int64_t rows_ = 0;
  int corners_ = 0;
  std::vector<float> weights_;        // of a batch: corners of all terms x kBatch
  std::vector<std::int32_t> places_;  // likewise, in a block of the scratch
  std::vector<float> reach_;          // of the blocks but the first: a message's bound by takes, a term
  std::uint32_t loaded_ = 0, given_ = 0;
};

}  // namespace atrous::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
