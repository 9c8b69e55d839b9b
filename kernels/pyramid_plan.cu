// SPDX-License-Identifier: Apache-2.0
// Host side of the pyramid: the work list and the choice of tile. Plain arithmetic, no device code.
#include <algorithm>
#include <limits>

#include "kernels/alignment.h"
#include "kernels/implicit_gemm_plan.h"
#include "kernels/implicit_gemm_tiles.h"
#include "kernels/pool2d.h"
#include "kernels/pyramid.h"
#include "kernels/split_sum.h"

namespace atrous::cuda {
namespace {

int branches_of(const PyramidProblem& problem) { return static_cast<int>(problem.branches.size()); }

std::vector<Conv2dProblem> all_branches(const PyramidProblem& problem) {
  std::vector<Conv2dProblem> branches;
  for (int b = 0; b < branches_of(problem); ++b) branches.push_back(pyramid_branch(problem, b));
  return branches;
}

constexpr auto kTensorCoreVariants = variants_of(PyramidTensorCoreTiles<f16>{});
constexpr auto kWarpgroupVariants = variants_of(WarpgroupTiles<f16>{});
constexpr auto kFmaVariants = variants_of(PyramidFmaTiles{});

struct WeighedItem {
  PyramidItem item;
  double cycles;
};

/// All tiles of `together`, branches that a tile goes through at once, for each block of channels and each
/// split.
void add_items(std::vector<WeighedItem>& items, std::span<const Conv2dProblem> together, int branch,
               const PyramidPlan& plan) {
  const ImplicitGemmVariant& v = pyramid_variants(plan.math).data[plan.variant];
  const auto [h, w] = plan.tiles.at(static_cast<std::size_t>(branch));
  const DType dtype = together[0].in.dtype;
  const int elements = step_elements(plan.math, dtype), splits = std::max(plan.splits, 1);
  const double step_cycles = cycles_of_step(plan.math, dtype, v);
  const GemmGeometry first = geometry_of(together[0], h, w);
  for (int channel = 0; channel < first.oc; channel += v.channels)
    for (int tile = 0; tile < first.images * first.tiles_y * first.tiles_x; ++tile) {
      int steps = 0;
      for (const Conv2dProblem& problem : together) {
        const GemmGeometry g = geometry_of(problem, h, w);
        steps += tile_taps(g, place_tile(g, tile, channel)).count() * ((g.ic + elements - 1) / elements);
      }
      double cycles = kTileCycles + step_cycles * steps / splits;
      if (branch == plan.problem.pooled)
        cycles +=
            cycles_of_copies(dtype, v, double{1} * w * plan.problem.out.shape.h * plan.problem.out.shape.w);
      for (int split = 0; split < splits; ++split) items.push_back({{branch, tile, channel, split}, cycles});
    }
}

struct TimedPlan {
  PyramidPlan plan;
  double cycles = std::numeric_limits<double>::infinity();
};

TimedPlan timed_plan(const PyramidProblem& problem, GemmMath math, int variant, int splits,
                     int multiprocessors) {
  const ImplicitGemmVariant& v = pyramid_variants(math).data[variant];
  const std::vector<Conv2dProblem> branches = all_branches(problem);
  TimedPlan result;
  PyramidPlan& plan = result.plan;
  plan.problem = problem, plan.math = math, plan.variant = variant, plan.splits = splits;
  std::vector<WeighedItem> items;
  const std::size_t together = problem.sum && splits == 0 ? branches.size() : 1;
  for (std::size_t b = 0; b < branches.size(); b += together) {
    const std::span<const Conv2dProblem> part(&branches[b], together);
    const TileRectangle r = best_rectangle(part, math, v);
    std::fill_n(plan.tiles.begin() + static_cast<std::ptrdiff_t>(b), together,
                PyramidPlan::Rectangle{r.h, r.w});
    add_items(items, part, static_cast<int>(b), plan);
  }
  std::stable_sort(items.begin(), items.end(),
                   [](const WeighedItem& a, const WeighedItem& b) { return a.cycles > b.cycles; });
  double total = 0;
  for (const WeighedItem& item : items) {
    plan.items.push_back(item.item);
    total += item.cycles;
  }
  plan.blocks = std::min(static_cast<int>(items.size()), multiprocessors * v.resident);
  result.cycles =
      std::max(total / multiprocessors / rate_when_full(v), items[0].cycles / rate_when_alone(v)) +
      cycles_of_parts(branches[0], plan.parts(), multiprocessors);
  return result;
}

/// The best plan with one of these splits.
PyramidPlan best_plan(const PyramidProblem& problem, GemmMath math, std::span<const int> splits,
                      int multiprocessors) {
  const ImplicitGemmVariants variants = pyramid_variants(math);
  TimedPlan best;
  for (int i = 0; i < variants.count; ++i)
    for (int s : splits) {
      if (problem.sum && s == 0 && !sums_in_registers(variants.data[i].pixels, variants.data[i].channels))
        continue;
      TimedPlan candidate = timed_plan(problem, math, i, s, multiprocessors);
      if (candidate.cycles < best.cycles) best = std::move(candidate);
    }
  return best.plan;
}

}  // namespace

ImplicitGemmVariants pyramid_variants(GemmMath math) {
  if (math == GemmMath::fma) return {kFmaVariants.data(), static_cast<int>(kFmaVariants.size())};
  if (math == GemmMath::warpgroup)
    return {kWarpgroupVariants.data(), static_cast<int>(kWarpgroupVariants.size())};
  return {kTensorCoreVariants.data(), static_cast<int>(kTensorCoreVariants.size())};
}

Conv2dProblem pyramid_branch(const PyramidProblem& problem, int branch) {
  const Conv2dParams& p = problem.branches[static_cast<std::size_t>(branch)];
  Conv2dProblem conv{problem.in, problem.out, problem.out, p};
  conv.out.shape.c = p.oc;
  if (problem.sum) {
    conv.params.activation = problem.branches.back().activation;
    return conv;
  }
  std::size_t offset = 0;
  for (int b = 0; b < branch; ++b)
    offset += static_cast<std::size_t>(problem.branches[static_cast<std::size_t>(b)].oc);
  while (offset * size_of(problem.out.dtype) % conv.out.base_alignment != 0) conv.out.base_alignment /= 2;
  if (branch == problem.pooled) {
    const Shape& map = problem.in.shape;
    conv.in = TensorDesc::dense({1, 1, map.n, map.c}, problem.in.dtype);
    conv.out.shape = {1, 1, map.n, p.oc};
  }
  return conv;
}

std::size_t pooled_mean_bytes(const PyramidProblem& problem) {
  const Shape& map = problem.in.shape;
  if (problem.pooled < 0) return 0;
  return (static_cast<std::size_t>(map.n * map.c) * size_of(problem.in.dtype) + 15) / 16 * 16;
}

std::string refuse_pyramid(const PyramidProblem& problem, GemmMath math, int major) {
  const int count = branches_of(problem);
  if (count < 1 || count > kMostBranches) return std::to_string(count) + " branches";
  if (!takes_packs(problem.in)) return "for channels in packs of 16 bytes only";
  std::int64_t channels = 0, pixels = problem.out.shape.pixels();
  for (int b = 0; b < count; ++b) {
    const Conv2dParams& p = problem.branches[static_cast<std::size_t>(b)];
    if (std::string why = refuse_conv2d_implicit_gemm(pyramid_branch(problem, b), math, major); !why.empty())
      return why;
    if (p.has_residual) return "a branch has a residual";
    if (problem.sum && b + 1 < count && p.activation.kind != ActivationKind::none)
      return "a summed branch before the last has an activation";
    if (problem.sum && p.oc != problem.out.shape.c) return "summed branches differ in channels";
    channels += p.oc;
  }
  if (problem.pooled >= 0) {
    const Conv2dParams& p = problem.branches[static_cast<std::size_t>(problem.pooled)];
    if (problem.sum || p.kh != 1 || p.kw != 1) return "a pooled branch that is summed or not pointwise";
    const BinLevel whole{1, 1, problem.in.shape.c, nullptr};
    if (std::string why = refuse_pool_bins(problem.in, {&whole, 1}); !why.empty()) return why;
  }
  constexpr std::int64_t kMostWork = std::int64_t{1} << 26;
  if (pixels > kMostWork || channels > kMostWork || pixels * ((channels + 31) / 32) > kMostWork)
    return "too many tiles for a work list";
  return {};
}

std::string PyramidPlan::describe() const {
  const ImplicitGemmVariant& v = pyramid_variants(math).data[variant];
  return std::to_string(v.pixels) + "x" + std::to_string(v.channels) + ", " + std::to_string(items.size()) +
         " tiles on " + std::to_string(blocks) + " blocks" +
         (splits == 0 ? std::string() : ", " + std::to_string(parts()) + " parts");
}

std::size_t PyramidPlan::workspace_bytes() const {
  if (problem.pooled < 0) return sum_parts_bytes(pyramid_branch(problem, 0), parts());
  const BinLevel whole{1, 1, problem.in.shape.c, nullptr};
  return pooled_mean_bytes(problem) + pool_bins_workspace(problem.in, {&whole, 1});
}

PyramidPlan plan_pyramid_variant(const PyramidProblem& problem, GemmMath math, int variant, int splits,
                                 int multiprocessors) {
  return timed_plan(problem, math, variant, splits, multiprocessors).plan;
}

PyramidPlan plan_pyramid(const PyramidProblem& problem, GemmMath math, int multiprocessors) {
  static constexpr int kWhole[] = {0}, kSplits[] = {0, 1, 2, 4, 8};
  if (problem.sum) {
    PyramidProblem one = problem;
    one.in.shape.n = one.out.shape.n = 1;
    const PyramidPlan plan = best_plan(one, math, kSplits, multiprocessors);
    if (plan.splits > 0)
      return plan_pyramid_variant(problem, math, plan.variant, plan.splits, multiprocessors);
  }
  return best_plan(problem, math, kWhole, multiprocessors);
}

}  // namespace atrous::cuda
