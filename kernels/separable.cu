// SPDX-License-Identifier: Apache-2.0
//
// A depthwise separable convolution: with d(y, x, i) = round(act_1(a_i + sum over ky, kx of
// in(y*sh - top + ky*dh, x*sw - left + kx*dw, i) * W_1(i, ky, kx))), out(y, x, o) = act_2(b_o + residual +
// sum over i of d(y, x, i) * W_2(o, i)), in NHWC. Any window, stride, rate and padding. d has the type of the
// activations and never goes to global memory.
//
// Algorithm: a block computes d for a rectangle of pixels and all channels into shared memory, laid out as
// the A stages of the implicit GEMM, then multiplies it by the pointwise weights, a block of output channels
// after the other, whose steps of K arrive by cp.async. Where a map has few tiles, several blocks share one:
// each filters it again and takes some of the output channels. Taps that read only padding for all pixels of
// the tile are skipped.
//
// Threads: while filtering, a thread takes 16 bytes of channels of four pixels, neighbouring threads
// neighbouring channels. Then a warp takes 32x32 or 16x32 of a tile's pixels x channels. Grid: tiles of all
// images, sharers of a tile.
//
// Shared memory, dynamic: pixels * 2 bytes a channel, rounded up to 32 channels, and four stages of channels
// * 64 bytes that the epilogue uses again for the sums. 64x128 with 256 channels: 64 KiB; 32x64 with 960
// channels: 76 KiB.
//
// Alignment: weights 16 bytes. The input is read 16 bytes at a time where its base, pitch and channels are
// whole chunks, else element by element; output and residual likewise.
//
// Math: fp32 multiply-adds; mma.sync m16n8k16 with fp32 sums in the order of the implicit GEMM without
// splits, whatever the tile. For sm_80 and later. Not yet run on a GPU.
//
// Source: the fusion is that of depthwise and pointwise layers in mobile inference engines, a tile at a time
// (Howard et al. 2017, section 3.1, for the layers); the product is the implicit GEMM's.
#include "kernels/separable.h"

#include "kernels/alignment.h"
#include "kernels/implicit_gemm_tiles.h"
#include "kernels/separable_plan.h"
#include "kernels/separable_tile.h"

namespace atrous::cuda {
namespace {

template <typename Tile>
ATROUS_KERNEL void ATROUS_LAUNCH_BOUNDS(Tile::kThreads, Tile::kBlocks)
    separable_kernel(GemmGeometry g, DepthwiseOperands<typename Tile::Element> depthwise,
                     const typename Tile::Element* weight, Epilogue<typename Tile::Element> epilogue) {
  ATROUS_DYNAMIC_SHARED(unsigned char, shared);
  const TilePlace at = place_tile(g, static_cast<int>(blockIdx.x), static_cast<int>(blockIdx.y) * Tile::kN);
  compute_separable_tile<Tile>(
      g, at, static_cast<int>(gridDim.y) * Tile::kN, depthwise, weight, shared,
      [&](std::int64_t pixel, int channel, float(&sums)[8]) { finish(epilogue, pixel, channel, sums); });
}

}  // namespace

void run_separable(const SeparablePlan& plan, const SeparableAddresses& at, StreamHandle stream) {
  const SeparableProblem& problem = plan.problem;
  const GemmGeometry g = separable_geometry(problem, plan.tile_h, plan.tile_w);
  const Conv2dProblem pointwise{problem.in, problem.out, problem.residual, problem.pointwise};
  const Conv2dAddresses addresses{at.in,  at.pointwise_weight, at.pointwise_bias, at.residual, at.out,
                                  nullptr};
  auto run_as = [&](auto element) {
    using T = decltype(element);
    const DepthwiseOperands<T> depthwise{static_cast<const T*>(at.in),
                                         static_cast<const T*>(at.depthwise_weight), at.depthwise_bias,
                                         takes_packs(problem.in), problem.depthwise.activation};
    with_tile(SeparableTiles<T>{}, plan.variant, [&](auto tile) {
      using Tile = decltype(tile);
      const Dim3 grid{g.images * g.tiles_y * g.tiles_x, plan.sharers};
      launch(separable_kernel<Tile>, grid, Tile::kThreads, plan.shared_bytes(), stream, g, depthwise,
             static_cast<const T*>(at.pointwise_weight), make_epilogue<T>(pointwise, addresses));
    });
  };
  if (problem.in.dtype == DType::bf16)
    run_as(bf16{});
  else
    run_as(f16{});
}

}  // namespace atrous::cuda
