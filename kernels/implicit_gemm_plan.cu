// SPDX-License-Identifier: Apache-2.0
// Host side of the implicit GEMM: the choice of tile, rectangle and splits. Plain arithmetic, no device code.
#include "kernels/implicit_gemm_plan.h"

#include <algorithm>
#include <array>
#include <limits>

#include "kernels/alignment.h"
#include "kernels/implicit_gemm_tiles.h"
#include "kernels/split_sum.h"

namespace atrous::cuda {
namespace {

constexpr auto kTensorCoreVariants = variants_of(TensorCoreTiles<f16>{});
constexpr auto kWarpgroupVariants = variants_of(WarpgroupTiles<f16>{});
constexpr auto kFmaVariants = variants_of(FmaTiles{});

int ceil_div(int a, int b) { return (a + b - 1) / b; }

/// Taps times tiles along one axis.
double touched_sum(int out, int tile, int stride, int pad, int in, int k, int dilation) {
  double sum = 0;
  for (int begin = 0; begin < out; begin += tile)
    sum += axis_taps(begin, std::min(tile, out - begin), stride, pad, in, k, dilation).count();
  return sum;
}

constexpr double kFewestSteps = 8;  ///< of a split, on average
constexpr std::array<int, 8> kSplits = {1, 2, 3, 4, 6, 8, 12, 16};

/// Steps of one image over all tiles.
double steps_of(const Conv2dProblem& problem, GemmMath math, int tile_h, int tile_w) {
  const GemmGeometry g = geometry_of(problem, tile_h, tile_w);
  return touched_sum(g.oh, tile_h, g.sh, g.top, g.ih, g.kh, g.dh) *
         touched_sum(g.ow, tile_w, g.sw, g.left, g.iw, g.kw, g.dw) *
         ceil_div(g.ic, step_elements(math, problem.in.dtype));
}

double estimate(const Conv2dProblem& problem, GemmMath math, const ImplicitGemmVariant& v,
                const TileRectangle& r, int splits, int multiprocessors) {
  const double images = static_cast<double>(problem.in.shape.n);
  const double blocks = images * r.tiles * ceil_div(problem.params.oc, v.channels) * splits;
  const double rounds = std::ceil(blocks / multiprocessors);
  const double step = cycles_of_step(math, problem.in.dtype, v), steps = r.steps / r.tiles / splits;
  const double busy = steps * step * std::max(rounds / rate_when_full(v), 1 / rate_when_alone(v));
  return busy + kTileCycles * std::max(1.0, rounds / 2) + cycles_of_parts(problem, splits, multiprocessors);
}

/// The best variant and number of splits; one split only unless `may_split`.
ImplicitGemmPlan best_plan(const Conv2dProblem& problem, GemmMath math, int multiprocessors, bool may_split) {
  const ImplicitGemmVariants variants = implicit_gemm_variants(math);
  const bool gather = needs_gather(problem);
  ImplicitGemmPlan best;
  double best_time = std::numeric_limits<double>::infinity();
  for (int i = 0; i < variants.count; ++i) {
    const ImplicitGemmVariant& v = variants.data[i];
    if (v.gather != gather) continue;
    const TileRectangle r = best_rectangle({&problem, 1}, math, v);
    for (int splits : kSplits) {
      if (splits > 1 && (!may_split || r.steps / r.tiles / splits < kFewestSteps)) break;
      const double time = estimate(problem, math, v, r, splits, multiprocessors);
      if (time < best_time) best_time = time, best = {problem, math, i, r.h, r.w, splits};
    }
  }
  return best;
}

constexpr int kMostStride = 2;  ///< of 128 pixels, in a box of 256
constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();

}  // namespace

int step_elements(GemmMath math, DType dtype) {
  return (math == GemmMath::warpgroup ? kBulkRowBytes : kStageRowBytes) / static_cast<int>(size_of(dtype));
}

double cycles_of_step(GemmMath math, DType dtype, const ImplicitGemmVariant& v) {
  const double multiply_adds_a_cycle = math == GemmMath::warpgroup ? 2048
                                       : math == GemmMath::fma     ? 128
                                       : dtype == DType::f32       ? 512
                                                                   : 1024;
  return double{1} * v.pixels * v.channels * step_elements(math, dtype) / multiply_adds_a_cycle;
}

double rate_when_full(const ImplicitGemmVariant& v) { return v.pixels * v.channels >= 128 * 64 ? 0.8 : 0.6; }
double rate_when_alone(const ImplicitGemmVariant& v) {
  return v.pixels * v.channels >= 128 * 128 ? 0.6 : 0.35;
}

double cycles_of_parts(const Conv2dProblem& problem, int parts, int multiprocessors) {
  constexpr double kLaunch = 4000, kBytesACycle = 16;
  if (parts == 1) return 0;
  return kLaunch + 2 * static_cast<double>(sum_parts_bytes(problem, parts)) / multiprocessors / kBytesACycle;
}

double cycles_of_copies(DType dtype, const ImplicitGemmVariant& v, double pixels) {
  constexpr double kBytesACycle = 32;
  return pixels * v.channels * static_cast<double>(size_of(dtype)) / kBytesACycle;
}

TileRectangle best_rectangle(std::span<const Conv2dProblem> problems, GemmMath math,
                             const ImplicitGemmVariant& v) {
  const Shape& out = problems[0].out.shape;
  const int oh = static_cast<int>(out.h), ow = static_cast<int>(out.w);
  const double overhead_steps = kTileCycles / cycles_of_step(math, problems[0].in.dtype, v);
  TileRectangle best;
  double best_cost = std::numeric_limits<double>::infinity();
  const int widest = std::min(v.pixels, ow), narrowest = oh == 1 ? widest : 1;
  for (int w = widest; w >= narrowest; --w) {
    TileRectangle r{std::min(v.pixels / w, oh), w};
    r.tiles = static_cast<double>(ceil_div(oh, r.h)) * ceil_div(ow, r.w);
    for (const Conv2dProblem& problem : problems) r.steps += steps_of(problem, math, r.h, r.w);
    const double cost = r.steps + overhead_steps * r.tiles;
    if (cost < best_cost) best_cost = cost, best = r;
  }
  return best;
}

GemmGeometry geometry_of(const Conv2dProblem& problem, int tile_h, int tile_w) {
  auto as_int = [](std::int64_t v) { return static_cast<int>(v); };
  const Conv2dParams& p = problem.params;
  const Shape &in = problem.in.shape, &out = problem.out.shape;
  GemmGeometry g;
  g.images = as_int(in.n);
  g.ih = as_int(in.h), g.iw = as_int(in.w), g.ic = as_int(in.c), g.in_pitch = as_int(problem.in.pitch);
  g.oh = as_int(out.h), g.ow = as_int(out.w), g.oc = p.oc;
  g.kh = p.kh, g.kw = p.kw, g.sh = p.sh, g.sw = p.sw, g.dh = p.dh, g.dw = p.dw;
  g.top = p.padding.top, g.left = p.padding.left;
  const int multiple = pack_size(problem.in.dtype);
  g.weight_pitch = ceil_div(p.kh * p.kw * g.ic, multiple) * multiple;
  g.tile_h = tile_h, g.tile_w = tile_w;
  g.tiles_y = ceil_div(g.oh, tile_h), g.tiles_x = ceil_div(g.ow, tile_w);
  return g;
}

Conv2dProblem in_one_row(const Conv2dProblem& problem) {
  const Conv2dParams& p = problem.params;
  const Shape &in = problem.in.shape, &out = problem.out.shape;
  const bool unpadded = p.padding == Padding{};
  const bool pointwise = p.kh == 1 && p.kw == 1 && p.sh == 1 && p.sw == 1 && unpadded;
  const bool whole = p.kh == in.h && p.kw == in.w && p.dh == 1 && p.dw == 1 && unpadded &&
                     (in.h * in.w == 1 || problem.in.is_dense());
  const std::int64_t elements = in.pixels() * problem.in.pitch;
  if ((!pointwise && !whole) || elements > kMost || out.pixels() > kMost) return problem;
  Conv2dProblem row = problem;
  row.params.kh = row.params.kw = row.params.sh = row.params.sw = 1;
  row.out.shape = {1, 1, out.pixels(), out.c};
  row.residual.shape = row.out.shape;
  row.in.shape = {1, 1, out.pixels(), pointwise ? in.c : in.h * in.w * in.c};
  if (!pointwise) row.in.pitch = in.h * in.w * problem.in.pitch;
  return row;
}

ImplicitGemmVariants implicit_gemm_variants(GemmMath math) {
  if (math == GemmMath::fma) return {kFmaVariants.data(), static_cast<int>(kFmaVariants.size())};
  if (math == GemmMath::warpgroup)
    return {kWarpgroupVariants.data(), static_cast<int>(kWarpgroupVariants.size())};
  return {kTensorCoreVariants.data(), static_cast<int>(kTensorCoreVariants.size())};
}

bool needs_gather(const Conv2dProblem& problem) { return !takes_packs(problem.in); }

std::string refuse_conv2d_implicit_gemm(const Conv2dProblem& problem, GemmMath math, int major) {
  const Shape &in = problem.in.shape, &out = problem.out.shape;
  const DType dtype = problem.in.dtype;
  if (math == GemmMath::fma && dtype != DType::f32) return "for fp32 activations only";
  if (dtype != DType::f32 && dtype != DType::f16 && dtype != DType::bf16)
    return "activations are " + std::string(to_string(dtype));
  if (problem.params.groups != 1) return std::to_string(problem.params.groups) + " groups";
  if (math == GemmMath::warpgroup) {
    if (!kHasWarpgroups) return "built without code for sm_90a";
    if (major != 9) return "needs compute capability 9.0 (wgmma)";
    if (dtype == DType::f32) return "for f16 and bf16 activations only";
    if (needs_gather(problem)) return "for channels in packs of 16 bytes only";
    if (problem.params.sh > kMostStride || problem.params.sw > kMostStride)
      return "a stride over 2: the box of a tile would be wider than one copy";
  }
  if (major < 8) return "needs compute capability 8.0 or later (cp.async, mma.m16n8k16)";
  constexpr std::int64_t kLongest = std::int64_t{1} << 28, kMostColumnBlocks = 65535;
  const std::int64_t terms = std::int64_t{problem.params.kh} * problem.params.kw * in.c;
  if (in.h > kLongest || in.w > kLongest || in.h * in.w * problem.in.pitch > kMost || out.pixels() > kMost ||
      terms > kLongest || problem.params.oc > kMostColumnBlocks * 32)
    return "offsets within an image do not fit 32 bits";
  return {};
}

std::size_t ImplicitGemmPlan::workspace_bytes() const { return sum_parts_bytes(problem, splits); }

double ImplicitGemmPlan::skipped_taps() const {
  const GemmGeometry g = geometry_of(problem, tile_h, tile_w);
  const double all =
      double{1} * g.tiles_y * g.tiles_x * g.kh * g.kw * ceil_div(g.ic, step_elements(math, problem.in.dtype));
  return 1 - steps_of(problem, math, tile_h, tile_w) / all;
}

std::string ImplicitGemmPlan::describe() const {
  const ImplicitGemmVariant& v = implicit_gemm_variants(math).data[variant];
  auto by = [](int a, int b) { return std::to_string(a) + "x" + std::to_string(b); };
  std::string text =
      by(v.pixels, v.channels) + (v.gather ? " gathered" : "") + ", tile " + by(tile_h, tile_w);
  if (splits > 1) text += ", " + std::to_string(splits) + " splits";
  const int percent = static_cast<int>(100 * skipped_taps() + 0.5);
  if (percent > 0) text += ", skips " + std::to_string(percent) + " % of taps";
  return text;
}

ImplicitGemmPlan plan_implicit_gemm_variant(const Conv2dProblem& problem, GemmMath math, int variant,
                                            int splits) {
  const Conv2dProblem row = in_one_row(problem);
  const TileRectangle r = best_rectangle({&row, 1}, math, implicit_gemm_variants(math).data[variant]);
  return {row, math, variant, r.h, r.w, splits};
}

ImplicitGemmPlan plan_implicit_gemm(const Conv2dProblem& problem, GemmMath math, int multiprocessors) {
  Conv2dProblem one = problem;
  one.in.shape.n = one.out.shape.n = one.residual.shape.n = 1;
  const ImplicitGemmPlan single = best_plan(in_one_row(one), math, multiprocessors, true);
  if (single.splits > 1) return plan_implicit_gemm_variant(problem, math, single.variant, single.splits);
  return best_plan(in_one_row(problem), math, multiprocessors, false);
}

}  // namespace atrous::cuda
