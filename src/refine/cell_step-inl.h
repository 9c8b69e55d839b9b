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
#include <utility>
#include <vector>

#include "refine/cell_step.h"
#include "refine/label_vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace atrous::HWY_NAMESPACE {

/// exp(x) for x <= 0 within 3e-7 relative, at least 2^-64, which times a share is no denormal number: 2^i *
/// 2^f, i the nearest whole number.
HWY_INLINE LabelVector exp_below_0(LabelVector x) {
  const LabelTag tag;
  const hn::RebindToSigned<LabelTag> whole_tag;
  const LabelVector magic =
      hn::Set(tag, 0x1.8p23F);  // a sum with it has the nearest whole number in its last bits
  const LabelVector power = hn::Max(hn::Mul(x, hn::Set(tag, 1.44269504F)), hn::Set(tag, -64.0F));
  const LabelVector shifted = hn::Add(power, magic), f = hn::Sub(power, hn::Sub(shifted, magic));
  LabelVector p = hn::Set(tag, 1.3333558e-3F);
  for (float c : {9.6181291e-3F, 5.5504109e-2F, 2.4022651e-1F, 6.9314718e-1F, 1.0F})
    p = hn::MulAdd(p, f, hn::Set(tag, c));
  const auto exponent = hn::ShiftLeft<23>(hn::BitCast(whole_tag, shifted));
  return hn::BitCast(tag, hn::Add(hn::BitCast(whole_tag, p), exponent));
}

/// A step at the points of a cell: messages, softmax, and what the filters are given.
template <int kWidth>
class CellStep {
 public:
  CellStep(const MeanFieldStep& step, std::int64_t cell, CellScratch& scratch)
      : step_(step),
        cell_(cell),
        scratch_(scratch),
        blocks_(LabelRows::blocks_of(step.labels)),
        every_((1U << blocks_) - 1),
        potts_(step.params.compatibility.empty()) {
    for (LatticeFilter& filter : step.filters) {
      const Permutohedral& lattice = filter.lattice();
      terms_.push_back({&filter, lattice.cell_vertices(cell), rows_, lattice.shares(cell), lattice.corners(),
                        filter.takes(cell), filter.gains(cell)});
      rows_ += std::ssize(terms_.back().vertices);
      corners_ += lattice.corners();
    }
    for (int k = 0; k < kWidth; ++k)
      padding_[k] = (blocks_ - 1) * kWidth + k < step.labels ? 0 : -std::numeric_limits<float>::infinity();
    take_weights_.resize(static_cast<std::size_t>(corners_ * kBatch));
    give_weights_.resize(take_weights_.size());
    places_.resize(take_weights_.size());
  }

  void run() {
    for (const Term& term : terms_)
      if (std::uint8_t& given = term.filter->cell_blocks(cell_); given != 0) {
        std::fill_n(term.filter->slot_blocks(cell_), term.vertices.size(), std::uint8_t{0});
        given = 0;
      }
    find_active();
    if (active_.empty()) return;
    for (int n = 0; n < kBatch; ++n) fetch(n);
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
  static constexpr int kBatch = MeanFieldStep::kBatch;
  using PointTag = hn::CappedTag<float, 16>;
  static constexpr int kPointLanes = static_cast<int>(hn::MaxLanes(PointTag()));

  using Row = Labels<kWidth>;

  struct Term {
    LatticeFilter* filter;
    std::span<const std::int32_t> vertices;
    std::int64_t row;  // in the scratch, of the first of them
    Permutohedral::Shares shares;
    int corners;
    const float *takes, *gains;
    std::vector<std::int32_t> touched{};  // those of its vertices that enclose active points
  };

  float* values(int block) { return scratch_.values.data() + block * rows_ * kWidth; }
  float* sums(int block) { return scratch_.sums.data() + block * rows_ * kWidth; }

  float largest(const Term& term, int block) const {
    float most = 0;
    if (step_.first) return most;
    for (const std::int32_t row : term.touched)
      most = std::max(most, term.filter->largest(block)[term.vertices[static_cast<std::size_t>(row)]]);
    return most;
  }

  /// active_ <- the cell's points whose messages can have moved by more than they have patience for.
  void find_active() {
    const std::int64_t count = std::min(kCell, step_.points - cell_ * kCell);
    float *const travels = scratch_.travels.data(), *const sliced = scratch_.sliced.data();
    std::fill_n(travels, kCell, 0.0F);
    for (const Term& term : terms_) {
      if (step_.first) break;
      float* to = scratch_.vertex_travels.data();
      for (const std::int32_t v : term.vertices) *to++ = term.filter->travels()[v];
      term.filter->lattice().slice(cell_, scratch_.vertex_travels.data(), sliced);
      for (std::int64_t i = 0; i < kCell; ++i) travels[i] += sliced[i] * term.takes[i];
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
      const std::size_t vertices = term.vertices.size();
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
          const auto taken = hn::Mul(weight, hn::LoadU(tag, term.takes + at));
          hn::StoreU(taken, tag, take_weights_.data() + to);
          hn::StoreU(hn::Mul(taken, hn::LoadU(tag, term.gains + at)), tag, give_weights_.data() + to);
          const auto vertex = hn::PromoteTo(whole, hn::LoadU(narrow, term.shares.vertices + share));
          const auto row = hn::Add(vertex, hn::Set(whole, static_cast<std::int32_t>(term.row)));
          hn::StoreU(hn::Mul(row, hn::Set(whole, kWidth)), whole, places_.data() + to);
        }
  }

  /// Which blocks but the first a batch's points need, whose best scores in the first are given: those whose
  /// best label is above exp(best) * prune / kWidth.
  void find_needed(std::int64_t begin, const float* best, std::uint32_t* needed) {
    if (reach_.empty())
      for (int b = 1; b < blocks_; ++b)
        for (const Term& term : terms_) reach_.push_back(largest(term, b) * Permutohedral::kWhole);
    const PointTag tag;
    const float prune = step_.params.prune;
    const auto margin =
        hn::Set(tag, prune > 0 ? std::log(prune / kWidth) : -std::numeric_limits<float>::max());
    const float* reach = reach_.data();
    for (int b = 1; b < blocks_; ++b, reach += terms_.size())
      for (int l = 0; l < kBatch; l += kPointLanes) {
        const std::int64_t at = begin + l;
        const float* least =
            step_.least + ((b - 1) * ((step_.points + kCell - 1) / kCell) + cell_) * kCell + at;
        auto score = hn::Neg(hn::LoadU(tag, least));
        for (std::size_t m = 0; m < terms_.size(); ++m)
          score = hn::MulAdd(hn::Set(tag, reach[m]), hn::LoadU(tag, terms_[m].takes + at), score);
        const auto above = hn::Gt(score, hn::Add(hn::LoadU(tag, best + l), margin));
        if (hn::AllFalse(tag, above)) continue;
        HWY_ALIGN float flags[kPointLanes];
        hn::Store(hn::IfThenElseZero(above, hn::Set(tag, 1)), tag, flags);
        for (int i = 0; i < kPointLanes; ++i) needed[l + i] |= flags[i] != 0 ? 1U << b : 0;
      }
  }

  /// A step of points that are `members` of the cell, all of the batch from `from` on.
  void step(std::int64_t from, std::span<const std::int32_t> members) {
    decode(from);
    const std::int64_t begin = cell_ * kCell + from;
    const int size = static_cast<int>(members.size());
    int active[kBatch];
    for (int k = 0; k < size; ++k) active[k] = static_cast<int>(members[static_cast<std::size_t>(k)] - from);
    std::uint32_t blocks[kBatch];  // that are computed
    HWY_ALIGN float best[kBatch] = {}, total[kBatch], share[kBatch], alarm[kBatch];
    std::fill_n(blocks, kBatch, every_), std::fill_n(total, kBatch, 1.0F);
    open_block(0);
    const std::int64_t first = &members[0] - active_.data();
    for (int k = 0; k < size; ++k) {
      fetch(first + k + kBatch);
      best[active[k]] = score(0, begin, active[k]);
    }
    if (blocks_ > 1) score_others(from, {active, members.size()}, best, blocks);
    for (int k = 0; k < size && !potts_; ++k) best[active[k]] = apply_compatibility(begin, active[k]);
    for (int k = 0; k < size; ++k) total[active[k]] = raise(blocks[active[k]], active[k], best[active[k]]);
    find_shares(from, total, share, alarm);
    for (int k = 0; k < size; ++k) {
      const int i = active[k];
      step_.alarms[begin + i] = alarm[i];
      each_block(blocks[i], [&](int block) { settle(block, begin, i, share[i]); });
    }
  }

  /// Scores of the blocks but the first, of those of a batch's points that are active. best: of what is
  /// scored; blocks <- those that are.
  void score_others(std::int64_t from, std::span<const int> active, float* best, std::uint32_t* blocks) {
    const std::int64_t begin = cell_ * kCell + from;
    if (potts_) {
      std::fill_n(blocks, kBatch, 1U);
      find_needed(from, best, blocks);
      for (const int i : active) blocks[i] |= std::exchange(step_.live[begin + i], std::uint32_t{blocks[i]});
    }
    for (const int i : active)
      each_block(blocks[i] & ~1U, [&](int block) {
        open_block(block);
        best[i] = std::max(best[i], score(block, begin, i));
      });
  }

  /// Asks for what a step of the n-th active point reads first.
  HWY_INLINE void fetch(std::int64_t n) {
    const std::int64_t point =
        cell_ * kCell + active_[static_cast<std::size_t>(std::min(n, std::ssize(active_) - 1))];
    const float* energies = step_.energies.row(point);
    for (int label = 0; label < kWidth; label += 16) __builtin_prefetch(energies + label);
    __builtin_prefetch(energies + kWidth - 1);
    __builtin_prefetch(row(0, point));
  }

  /// f(block) for each bit.
  template <typename F>
  static HWY_INLINE void each_block(std::uint32_t bits, const F& f) {
    for (; bits != 0; bits &= bits - 1) f(std::countr_zero(bits));
  }

  float* fresh(int block, int i) { return scratch_.fresh.data() + (i * blocks_ + block) * kWidth; }
  std::uint16_t* row(int block, std::int64_t point) { return step_.q.block(block) + point * kWidth; }

  /// Of a point's block; behind the last label infinity.
  HWY_INLINE Row energy(int block, std::int64_t point) const {
    const Row row = Row::load(step_.energies.row(point) + block * kWidth);
    return block + 1 < blocks_ ? row : row - Row::load(padding_);
  }
  /// fresh <- M - energy of a block, for Potts; else K q. Returns the largest.
  HWY_INLINE float score(int block, std::int64_t begin, int i) {
    Row sum = Row::all(0);
    if (!step_.first) {
      const float* from = values(block);
      const float* weights = take_weights_.data();
      const std::int32_t* places = places_.data();
      for (int at = i; at < corners_ * kBatch; at += kBatch)
        sum = sum.plus(weights[at], Row::load(from + places[at]));
    }
    if (potts_) sum = sum - energy(block, begin + i);
    sum.store(fresh(block, i));
    return sum.largest();
  }

  /// fresh, of all blocks <- -mu * fresh - energy. Returns the largest.
  float apply_compatibility(std::int64_t begin, int i) {
    HWY_ALIGN float given[kMostLabels], result[kMostLabels] = {};
    for (int b = 0; b < blocks_; ++b) Row::load(fresh(b, i)).store(given + b * kWidth);
    for (int a = 0; a < step_.labels; ++a)
      for (int b = 0; b < step_.labels; ++b)
        result[a] -= step_.params.compatibility[static_cast<std::size_t>(a * step_.labels + b)] * given[b];
    float best = -std::numeric_limits<float>::infinity();
    for (int b = 0; b < blocks_; ++b) {
      const Row row = Row::load(result + b * kWidth) - energy(b, begin + i);
      row.store(fresh(b, i));
      best = std::max(best, row.largest());
    }
    return best;
  }

  /// fresh <- exp(fresh - best). Returns the sum.
  HWY_INLINE float raise(std::uint32_t blocks, int i, float best) {
    Row sum = Row::all(0);
    const Row origin = Row::all(best);
    each_block(blocks, [&](int b) {
      const Row power = (Row::load(fresh(b, i)) - origin).map(exp_below_0);
      power.store(fresh(b, i));
      sum = sum + power;
    });
    return sum.total();
  }

  /// Of a batch's points, what makes their powers probabilities; and how far messages travel before they
  /// could move one of these by more than `stop`.
  void find_shares(std::int64_t from, const float* total, float* share, float* alarm) {
    const PointTag tag;
    const auto one = hn::Set(tag, 1), stop = hn::Set(tag, step_.params.stop);
    for (int i = 0; i < kBatch; i += kPointLanes) {
      const auto sum = hn::Load(tag, total + i), part = hn::Div(one, sum);
      hn::Store(part, tag, share + i);
      // messages that move by up to t multiply the probability of all labels but the best by up to exp(2 t),
      // and ln(1 + x) >= 2 x / (2 + x); what is left out for being improbable must stay so, too
      const auto rest = hn::Max(hn::Mul(hn::Sub(sum, one), part), hn::Set(tag, 1e-9F));
      const auto reach = hn::Div(stop, hn::MulAdd(hn::Set(tag, 2), rest, stop));
      hn::Store(hn::MulAdd(hn::Set(tag, step_.reach), hn::Min(reach, hn::Set(tag, 0.5F)),
                           hn::LoadU(tag, scratch_.travels.data() + from + i)),
                tag, alarm + i);
    }
  }

  /// The touched vertices' values of a block are there, and their sums, at first 0.
  void open_block(int block) {
    if ((open_ >> block & 1U) != 0) return;
    open_ |= 1U << block;
    for (const Term& term : terms_) {
      const std::uint16_t* from = term.filter->values().block(block);
      float *value = values(block) + term.row * kWidth, *sum = sums(block) + term.row * kWidth;
      for (const std::int32_t row : term.touched) {
        if (!step_.first)
          Row::load(from + std::int64_t{term.vertices[static_cast<std::size_t>(row)]} * kWidth)
              .store(value + row * kWidth);
        Row::all(0).store(sum + row * kWidth);
      }
    }
  }

  /// q of a block <- fresh * share, where a probability moves by more than `stop`; what it changes by is
  /// added to the sums of the point's vertices.
  HWY_INLINE void settle(int block, std::int64_t begin, int i, float share) {
    const Row now = (Row::load(fresh(block, i)) * share).rounded();
    Row change = now;
    if (!step_.first) {
      change = change - Row::load(row(block, begin + i));
      if (!change.magnitude().any_above(step_.params.stop)) return;
    }
    now.store(row(block, begin + i));
    if (step_.last) return;
    const float* weights = give_weights_.data();
    const std::int32_t* places = places_.data();
    float* to = sums(block);
    for (int at = i; at < corners_ * kBatch; at += kBatch) {
      float* sum = to + places[at];
      Row::load(sum).plus(weights[at], change).store(sum);
    }
  }

  /// Leaves the sums in the filters' slots.
  void hand_over() {
    for (const Term& term : terms_) {
      std::uint8_t *blocks = term.filter->slot_blocks(cell_), &any = term.filter->cell_blocks(cell_);
      const std::int64_t first = term.filter->lattice().first_slot(cell_);
      each_block(open_, [&](int block) {
        std::uint16_t* given = term.filter->given().block(block) + first * kWidth;
        const float* from = sums(block) + term.row * kWidth;
        for (const std::int32_t row : term.touched) {
          const Row sum = Row::load(from + row * kWidth);
          if (sum.is_zero()) continue;
          sum.store(given + row * kWidth);
          blocks[row] |= static_cast<std::uint8_t>(1U << block),
              any |= static_cast<std::uint8_t>(1U << block);
        }
      });
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
  std::vector<float> take_weights_, give_weights_;  // of a batch: corners of all terms x kBatch
  std::vector<std::int32_t> places_;                // likewise, in a block of the scratch
  std::vector<float> reach_;         // of the blocks but the first: a message's bound by takes, a term
  HWY_ALIGN float padding_[kWidth];  // of the last block: 0, behind the last label -infinity
  std::uint32_t open_ = 0;
};

}  // namespace atrous::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
