// SPDX-License-Identifier: Apache-2.0
#include "ops/early_skip.h"

#include "kernels/implicit_gemm_plan.h"
#include "kernels/implicit_gemm_tiles.h"
#include "kernels/separable_plan.h"
#include "kernels/separable_tile.h"

namespace atrous::test {
namespace {

using namespace cuda;
using Tile = GemmTile<TensorCoreMath<f16, 32, 32>, 64, 64, 4>;

template <int kEarly>
ATROUS_KERNEL void ATROUS_LAUNCH_BOUNDS(Tile::kThreads, Tile::kBlocks)
    early_skip_kernel(GemmGeometry g, Tile::Operands operands, Epilogue<f16> epilogue) {
  ATROUS_DYNAMIC_SHARED(unsigned char, shared);
  const TilePlace at = place_tile(g, static_cast<int>(blockIdx.x), static_cast<int>(blockIdx.y) * Tile::kN);
  compute_tile<Tile, kEarly>(
      g, at, operands, 0, 1, shared,
      [&](std::int64_t pixel, int channel, float(&sums)[8]) { finish(epilogue, pixel, channel, sums); });
}

using SeparableTile = GemmTile<TensorCoreMath<f16, 16, 32>, 64, 64, 4>;

template <int kEarly>
ATROUS_KERNEL void ATROUS_LAUNCH_BOUNDS(SeparableTile::kThreads, SeparableTile::kBlocks)
    early_separable_kernel(GemmGeometry g, DepthwiseOperands<f16> depthwise, const f16* weight,
                           Epilogue<f16> epilogue) {
  ATROUS_DYNAMIC_SHARED(unsigned char, shared);
  compute_separable_tile<SeparableTile, kEarly>(
      g, place_tile(g, static_cast<int>(blockIdx.x), 0), SeparableTile::kN, depthwise, weight, shared,
      [&](std::int64_t pixel, int channel, float(&sums)[8]) { finish(epilogue, pixel, channel, sums); });
}

}  // namespace

void run_separable_with_early_skip(const SeparablePlan& plan, const SeparableAddresses& at, int early,
                                   StreamHandle stream) {
  const SeparableProblem& problem = plan.problem;
  const GemmGeometry g = separable_geometry(problem, plan.tile_h, plan.tile_w);
  const DepthwiseOperands<f16> depthwise{static_cast<const f16*>(at.in),
                                         static_cast<const f16*>(at.depthwise_weight), at.depthwise_bias,
                                         false, problem.depthwise.activation};
  const Epilogue<f16> epilogue =
      make_epilogue<f16>({problem.in, problem.out, problem.residual, problem.pointwise},
                         {nullptr, nullptr, at.pointwise_bias, at.residual, at.out, nullptr});
  launch(early == 0 ? early_separable_kernel<0> : early_separable_kernel<1>,
         Dim3{g.images * g.tiles_y * g.tiles_x}, SeparableTile::kThreads,
         SeparableStages<SeparableTile>::bytes(g.ic), stream, g, depthwise,
         static_cast<const f16*>(at.pointwise_weight), epilogue);
}

ImplicitGemmPlan early_skip_plan(const Conv2dProblem& problem, int tile_h, int tile_w) {
  return {problem, GemmMath::tensor_core, 0, tile_h, tile_w, 1};
}

void run_with_early_skip(const ImplicitGemmPlan& plan, const Conv2dAddresses& at, int early,
                         StreamHandle stream) {
  const GemmGeometry g = geometry_of(plan.problem, plan.tile_h, plan.tile_w);
  const Dim3 grid{g.images * g.tiles_y * g.tiles_x, (g.oc + Tile::kN - 1) / Tile::kN};
  launch(early == 0   ? early_skip_kernel<0>
         : early == 1 ? early_skip_kernel<1>
                      : early_skip_kernel<8>,
         grid, Tile::kThreads, Tile::kSharedBytes, stream, g, Tile::operands(g, at.in, at.weight),
         make_epilogue<f16>(plan.problem, at));
}

}  // namespace atrous::test
