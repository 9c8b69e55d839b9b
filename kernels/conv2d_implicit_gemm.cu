// SPDX-License-Identifier: Apache-2.0
//
// Convolution as an implicit matrix product (GEMM) with tap skipping.
//
// Computes out(y, x, o) = act(b_o + residual + sum over ky, kx, i of
// in(y*sh - top + ky*dh, x*sw - left + kx*dw, i) * W(o, i, ky, kx)) in NHWC: any window, stride, rate and
// padding, one group. The product's rows are output pixels, its columns output channels, and its sum runs
// over taps and input channels; the matrix of input patches is never stored.
//
// Tap skipping: a tile is a rectangle of pixels, chosen by the host for the least work. The taps that touch
// the input for some pixel of it are a rectangle of the kernel with closed-form bounds (taps.h); the others
// would read only padding, and are neither loaded nor multiplied. Rate 18 on a 33x33 map: about 60 % of them.
//
// Threads: a block makes one tile of pixels x channels (of a split sum, one part of it), a warp 64x32 or
// 32x32 of that. Grid: tiles of all images, column blocks, splits. Every thread copies 16-byte chunks, four
// to a row.
//
// Shared memory: stages * (pixels + channels) * 64 bytes, dynamic. Four stages: 64 KiB for 128x128, 48 for
// 128x64, 40 for 128x32, 32 for 64x64; three (gathered or fma): 36 KiB for 128x64, 24 for 64x64. The epilogue
// uses it again for the sums.
//
// Alignment: weights and workspace 16 bytes. The input's base, pitch and channels in whole 16-byte chunks, or
// the gathering variant runs. Output and residual are accessed 16 bytes at a time where they allow it.
//
// Math: mma.sync m16n8k16 (f16, bf16) or m16n8k8 (fp32 rounded to tf32) with fragments by ldmatrix; or fp32
// fma. Sums are fp32. For sm_80 and later.
//
// Warpgroups (warpgroup_tile.h; f16 and bf16 on compute capability 9.0, sm_90a): the copy engine brings a
// tap's rectangle of input as one box, with zeros for the padding, and wgmma m64nNk16 multiplies it from
// shared memory. A warp for the copies and a warpgroup for every 64 pixels; stages of (pixels + channels) *
// 128 bytes: 192 KiB for 128x256 (four), 96 for 128x128 (three; two blocks a multiprocessor), 64 for 64x64
// (four; three blocks). Not yet run on a GPU.
//
// Split sums: for small maps with long sums, blocks share a tile's sum and split_sum.cu adds their parts in
// order. There are no atomics: runs agree bit by bit.
//
// Source: the multistage implicit GEMM with swizzled shared memory that CUTLASS describes in its
// documentation of implicit GEMM convolution; the skipping is added.
#include "kernels/conv2d_implicit_gemm.h"

#include "kernels/implicit_gemm_plan.h"
#include "kernels/implicit_gemm_tiles.h"
#include "kernels/split_sum.h"

namespace atrous::cuda {
namespace {

template <typename Tile>
ATROUS_KERNEL void ATROUS_LAUNCH_BOUNDS(Tile::kThreads, Tile::kBlocks)
    implicit_gemm_kernel(const ATROUS_GRID_CONSTANT GemmGeometry g,
                         const ATROUS_GRID_CONSTANT typename Tile::Operands operands,
                         Epilogue<typename Tile::Element> epilogue, SumParts parts) {
  ATROUS_DYNAMIC_SHARED(unsigned char, shared);
  const int split = static_cast<int>(blockIdx.z), splits = static_cast<int>(gridDim.z);
  const TilePlace at = place_tile(g, static_cast<int>(blockIdx.x), static_cast<int>(blockIdx.y) * Tile::kN);
  compute_tile<Tile>(g, at, operands, split, splits, shared,
                     [&](std::int64_t pixel, int channel, float(&sums)[8]) {
                       if (parts.data == nullptr)
                         finish(epilogue, pixel, channel, sums);
                       else
                         store_channels(parts.at(split, pixel, channel), true, parts.pitch - channel, sums);
                     });
}

template <typename Tiles>
void run_on(Tiles tiles, const ImplicitGemmPlan& plan, const Conv2dAddresses& at, StreamHandle stream) {
  const GemmGeometry g = geometry_of(plan.problem, plan.tile_h, plan.tile_w);
  const SumParts parts = make_sum_parts(plan.problem, plan.splits, at.workspace);
  with_tile(tiles, plan.variant, [&](auto tile) {
    using Tile = decltype(tile);
    const Dim3 grid{static_cast<unsigned>(g.images * g.tiles_y * g.tiles_x),
                    static_cast<unsigned>((g.oc + Tile::kN - 1) / Tile::kN),
                    static_cast<unsigned>(plan.splits)};
    launch(implicit_gemm_kernel<Tile>, grid, Tile::kThreads, Tile::kSharedBytes, stream, g,
           Tile::operands(g, at.in, at.weight), make_epilogue<typename Tile::Element>(plan.problem, at),
           parts);
  });
  if (plan.splits > 1) add_sum_parts(parts, plan.problem, at, stream);
}

}  // namespace

void run_conv2d_implicit_gemm(const ImplicitGemmPlan& plan, const Conv2dAddresses& at, StreamHandle stream) {
  with_tiles<FmaTiles, TensorCoreTiles, WarpgroupTiles>(plan.math, plan.problem.in.dtype,
                                                        [&](auto tiles) { run_on(tiles, plan, at, stream); });
}

}  // namespace atrous::cuda
