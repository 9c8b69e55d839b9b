// SPDX-License-Identifier: Apache-2.0
// Host side of the implicit GEMM: the choice of tile, rectangle and splits. Plain arithmetic, no device code.
#include "kernels/implicit_gemm_plan.h"

#include <algorithm>
#include <array>
#include <limits>

#include "kernels/alignment.h"
#include "kernels/implicit_gemm_tiles.h"

namespace atrous::cuda {
namespace {

template <typename... Tiles>
constexpr std::array<ImplicitGemmVariant, sizeof...(Tiles)> variants_of(TileList<Tiles...>) {
  return {ImplicitGemmVariant{Tiles::kM, Tiles::kN, Tiles::kGather}...};
}
constexpr auto kTensorCoreVariants = variants_of(TensorCoreTiles<f16>{});
constexpr auto kFmaVariants = variants_of(FmaTiles{});

int ceil_div(int a, int b) { return (a + b - 1) / b; }

/// Taps times tiles along one axis.
double touched_sum(int out, int tile, int stride, int pad, int in, int k, int dilation) {
  double sum = 0;
  for (int begin = 0; begin < out; begin += tile)
    sum += axis_taps(begin, std::min(tile, out - begin), stride, pad, in, k, dilation).count();
  return sum;
}

/// The model's unit is a cycle of one multiprocessor; its constants are estimates, not measurements.
struct CostModel {
  static constexpr double kTileOverhead = 3000;  ///< filling the pipeline, storing the tile
  static constexpr double kReduceLaunch = 4000;  ///< the second kernel of a split sum
  static constexpr double kBytesACycle = 16;     ///< of a multiprocessor's share of the memory's bandwidth
  static constexpr double kFewestSteps = 8;      ///< of a split, on average
  static constexpr std::array<int, 8> kSplits = {1, 2, 3, 4, 6, 8, 12, 16};

  /// Multiply-adds a cycle of one multiprocessor.
  static double rate(GemmMath math, DType dtype) {
    if (math == GemmMath::fma) return 128;
    return dtype == DType::f32 ? 512 : 1024;
  }
  /// The share of that rate a tile reaches on a full multiprocessor, and when its block is alone there.
  static double full(const ImplicitGemmVariant& v) { return v.pixels * v.channels >= 128 * 64 ? 0.8 : 0.6; }
  static double alone(const ImplicitGemmVariant& v) {
    return v.pixels * v.channels >= 128 * 128 ? 0.6 : 0.35;
  }
};

struct Rectangle {
  int h = 1, w = 1;
  double steps = 0, tiles = 0;  ///< of all images: steps of K over all tiles, tiles
};

int step_elements(DType dtype) { return 64 / static_cast<int>(size_of(dtype)); }

/// The rectangle of at most `pixels` pixels that needs the least work.
Rectangle best_rectangle(const Conv2dProblem& problem, int pixels, double overhead_steps) {
  const GemmGeometry g = geometry_of(problem, 1, 1);
  const double chunks = ceil_div(g.ic, step_elements(problem.in.dtype));
  Rectangle best;
  double best_cost = std::numeric_limits<double>::infinity();
  const int widest = std::min(pixels, g.ow), narrowest = g.oh == 1 ? widest : 1;
  for (int w = widest; w >= narrowest; --w) {
    const int h = std::min(pixels / w, g.oh);
    const double tiles = static_cast<double>(g.images) * ceil_div(g.oh, h) * ceil_div(g.ow, w);
    const double steps = g.images * chunks * touched_sum(g.oh, h, g.sh, g.top, g.ih, g.kh, g.dh) *
                         touched_sum(g.ow, w, g.sw, g.left, g.iw, g.kw, g.dw);
    const double cost = steps + overhead_steps * tiles;
    if (cost < best_cost) best_cost = cost, best = {h, w, steps, tiles};
  }
  return best;
}

double cycles_of_step(GemmMath math, DType dtype, const ImplicitGemmVariant& v) {
  return double{1} * v.pixels * v.channels * step_elements(dtype) / CostModel::rate(math, dtype);
}

Rectangle rectangle_for(const Conv2dProblem& problem, GemmMath math, const ImplicitGemmVariant& v) {
  return best_rectangle(problem, v.pixels,
                        CostModel::kTileOverhead / cycles_of_step(math, problem.in.dtype, v));
}

double estimate(const Conv2dProblem& problem, GemmMath math, const ImplicitGemmVariant& v, const Rectangle& r,
                int splits, int multiprocessors) {
  const double blocks = r.tiles * ceil_div(problem.params.oc, v.channels) * splits;
  const double rounds = std::ceil(blocks / multiprocessors);
  const double step = cycles_of_step(math, problem.in.dtype, v), steps = r.steps / r.tiles / splits;
  const double busy = steps * step * std::max(rounds / CostModel::full(v), 1 / CostModel::alone(v));
  const double reduce = splits == 1 ? 0
                                    : CostModel::kReduceLaunch +
                                          8.0 * splits * static_cast<double>(problem.out.shape.pixels()) *
                                              problem.params.oc / multiprocessors / CostModel::kBytesACycle;
  return busy + CostModel::kTileOverhead * std::max(1.0, rounds / 2) + reduce;
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
    const Rectangle r = rectangle_for(problem, math, v);
    for (int splits : CostModel::kSplits) {
      if (splits > 1 && (!may_split || r.steps / r.tiles / splits < CostModel::kFewestSteps)) break;
      const double time = estimate(problem, math, v, r, splits, multiprocessors);
      if (time < best_time) best_time = time, best = {problem, math, i, r.h, r.w, splits};
    }
  }
  return best;
}

constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();

}  // namespace

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
  if (major < 8) return "needs compute capability 8.0 or later (cp.async, mma.m16n8k16)";
  constexpr std::int64_t kLongest = std::int64_t{1} << 28, kMostColumnBlocks = 65535;
  const std::int64_t terms = std::int64_t{problem.params.kh} * problem.params.kw * in.c;
  if (in.h > kLongest || in.w > kLongest || in.h * in.w * problem.in.pitch > kMost || out.pixels() > kMost ||
      terms > kLongest || problem.params.oc > kMostColumnBlocks * 32)
    return "offsets within an image do not fit 32 bits";
  return {};
}

std::size_t ImplicitGemmPlan::workspace_bytes() const {
  if (splits == 1) return 0;
  return static_cast<std::size_t>(splits) * static_cast<std::size_t>(problem.out.shape.pixels()) *
         static_cast<std::size_t>(ceil_div(problem.params.oc, 4)) * 4 * sizeof(float);
}

std::string ImplicitGemmPlan::describe() const {
  const ImplicitGemmVariant& v = implicit_gemm_variants(math).data[variant];
  auto by = [](int a, int b) { return std::to_string(a) + "x" + std::to_string(b); };
  return by(v.pixels, v.channels) + (v.gather ? " gathered" : "") + ", tile " + by(tile_h, tile_w) +
         (splits == 1 ? std::string() : ", " + std::to_string(splits) + " splits");
}

ImplicitGemmPlan plan_implicit_gemm_variant(const Conv2dProblem& problem, GemmMath math, int variant,
                                            int splits) {
  const Conv2dProblem row = in_one_row(problem);
  const Rectangle r = rectangle_for(row, math, implicit_gemm_variants(math).data[variant]);
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
