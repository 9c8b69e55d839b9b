// SPDX-License-Identifier: Apache-2.0
// Host side of the separable convolution: the choice of tile, rectangle and sharers. Plain arithmetic, no
// device code. The constants of the model of the time are estimates, not measurements.
#include "kernels/separable_plan.h"

#include <algorithm>
#include <limits>

#include "kernels/alignment.h"
#include "kernels/depthwise.h"
#include "kernels/implicit_gemm_plan.h"
#include "kernels/implicit_gemm_tiles.h"
#include "kernels/separable_tile.h"

namespace atrous::cuda {
namespace {

constexpr auto kVariants = variants_of(SeparableTiles<f16>{});

int ceil_div(int a, int b) { return (a + b - 1) / b; }

Conv2dProblem depthwise_of(const SeparableProblem& problem) {
  return {problem.in, problem.out, {}, problem.depthwise};
}

/// The same for f16 and bf16.
std::size_t shared_bytes_of(const SeparableProblem& problem, int variant) {
  std::size_t bytes = 0;
  with_tile(SeparableTiles<f16>{}, variant, [&](auto tile) {
    bytes = SeparableStages<decltype(tile)>::bytes(static_cast<int>(problem.in.shape.c));
  });
  return bytes;
}

/// Input rows (or columns) that so many neighbouring outputs read.
int rows_read(int outputs, int k, int stride, int dilation) {
  return std::min((outputs - 1) * stride + (k - 1) * dilation + 1, outputs * k);
}

double estimate(const SeparablePlan& plan, int multiprocessors) {
  constexpr double kCyclesATap = 0.2;  // a multiprocessor's, for 16 bytes of channels of one pixel
  const ImplicitGemmVariant& v = kVariants[static_cast<std::size_t>(plan.variant)];
  const GemmGeometry g = separable_geometry(plan.problem, plan.tile_h, plan.tile_w);
  const int steps = ceil_div(g.ic, kStageRowBytes / 2);
  const double filter = kCyclesATap * v.pixels * steps * kStageChunks * g.kh * g.kw;
  const double products = ceil_div(ceil_div(g.oc, v.channels), plan.sharers) * steps *
                          cycles_of_step(GemmMath::tensor_core, DType::f16, v) / rate_when_full(v);
  const int blocks = g.images * g.tiles_y * g.tiles_x * plan.sharers;
  return ceil_div(blocks, multiprocessors) * (filter + products + kTileCycles);
}

}  // namespace

GemmGeometry separable_geometry(const SeparableProblem& problem, int tile_h, int tile_w) {
  GemmGeometry g = geometry_of(depthwise_of(problem), tile_h, tile_w);
  const int multiple = pack_size(problem.in.dtype);
  g.oc = problem.pointwise.oc;
  g.weight_pitch = ceil_div(g.ic, multiple) * multiple;
  return g;
}

ImplicitGemmVariants separable_variants() { return {kVariants.data(), static_cast<int>(kVariants.size())}; }

std::string refuse_separable(const SeparableProblem& problem, int major, std::size_t shared_memory) {
  const Conv2dProblem pointwise{problem.out, problem.out, problem.residual, problem.pointwise};
  Conv2dProblem dense = depthwise_of(problem);
  std::string why = refuse_depthwise(problem.depthwise, problem.in, problem.in);
  dense.params.groups = 1;
  for (const Conv2dProblem& part : {dense, pointwise})
    if (why.empty()) why = refuse_conv2d_implicit_gemm(part, GemmMath::tensor_core, major);
  if (!why.empty()) return why;
  const std::size_t least = shared_bytes_of(problem, static_cast<int>(kVariants.size()) - 1);
  if (least > shared_memory)
    return std::to_string(problem.in.shape.c) + " channels take " + std::to_string(least) +
           " bytes of shared memory of " + std::to_string(shared_memory);
  return {};
}

std::size_t SeparablePlan::shared_bytes() const { return shared_bytes_of(problem, variant); }

std::string SeparablePlan::describe() const {
  const ImplicitGemmVariant& v = kVariants[static_cast<std::size_t>(variant)];
  auto by = [](int a, int b) { return std::to_string(a) + "x" + std::to_string(b); };
  std::string text = by(v.pixels, v.channels) + ", tile " + by(tile_h, tile_w);
  if (sharers > 1) text += ", " + std::to_string(sharers) + " blocks a tile";
  return text;
}

SeparablePlan plan_separable_variant(const SeparableProblem& problem, int variant, int sharers) {
  const ImplicitGemmVariant& v = kVariants[static_cast<std::size_t>(variant)];
  const Conv2dParams& p = problem.depthwise;
  const int oh = static_cast<int>(problem.out.shape.h), ow = static_cast<int>(problem.out.shape.w);
  SeparablePlan best{problem, variant, 1, 1, sharers};
  double best_cost = std::numeric_limits<double>::infinity();
  for (int w = std::min(v.pixels, ow); w >= 1; --w) {
    const int h = std::min(v.pixels / w, oh);
    const double tiles = double{1} * ceil_div(oh, h) * ceil_div(ow, w);
    const double read = double{1} * rows_read(h, p.kh, p.sh, p.dh) * rows_read(w, p.kw, p.sw, p.dw);
    const double cost = tiles * (v.pixels + read);
    if (cost < best_cost) best_cost = cost, best.tile_h = h, best.tile_w = w;
  }
  return best;
}

SeparablePlan plan_separable(const SeparableProblem& problem, int multiprocessors,
                             std::size_t shared_memory) {
  SeparablePlan best;
  double best_time = std::numeric_limits<double>::infinity();
  for (int variant = 0; variant < static_cast<int>(kVariants.size()); ++variant) {
    if (shared_bytes_of(problem, variant) > shared_memory) continue;
    const int columns = ceil_div(problem.pointwise.oc, kVariants[static_cast<std::size_t>(variant)].channels);
    SeparablePlan plan = plan_separable_variant(problem, variant, 1);
    for (; plan.sharers <= columns; plan.sharers *= 2) {
      const double time = estimate(plan, multiprocessors);
      if (time < best_time) best_time = time, best = plan;
    }
  }
  return best;
}

}  // namespace atrous::cuda
