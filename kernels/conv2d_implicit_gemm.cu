// SPDX-License-Identifier: Apache-2.0
//
// Convolution as an implicit matrix product (GEMM) with tap skipping.
//
// Computes  out(y,x,o) = act(b_o + sum_{ky,kx,i} in(y*sh - top + ky*dh, x*sw - left + kx*dw, i) *
// W(o,i,ky,kx) + residual) in NHWC: any window, stride, rate and padding, one group. The product's rows are
// output pixels, its columns output channels, and its sum runs over taps and input channels; the matrix of
// input patches is never stored.
//
// Tap skipping  A tile is a rectangle of pixels, chosen by the host for the least work. The taps that touch
// the input for
//               some pixel of it are a rectangle of the kernel with closed-form bounds (taps.h); the others
//               would read only padding, and are neither loaded nor multiplied. Rate 18 on a 33x33 map: about
//               60 % of the taps.
// Threads       A block makes one tile of pixels x channels (x one part of the sum); a warp 64x32 or 32x32 of
// it. Grid:
//               (tiles of all images, column blocks, splits). Every thread copies 16-byte chunks, four to a
//               row.
// Shared memory stages * (pixels + channels) * 64 bytes, dynamic: 64 KiB for 128x128, 48 for 128x64, 32 for
// 64x64, 40 for
//               128x32 with four stages; 36 and 24 with three (gathered, fma). Reused by the epilogue.
// Alignment     Weights and workspace 16 bytes. The input's base, pitch and channels in whole 16-byte chunks,
// else the
//               gathering variant runs. Output and residual are accessed 16 bytes at a time where they allow
//               it.
// Math          mma.sync m16n8k16 (f16, bf16) or m16n8k8 (fp32 rounded to tf32), fragments by ldmatrix; or
// fp32 fma. Sums are
//               fp32. This is for sm_80 and later; wgmma and the bulk copy engine of sm_90a are not used.
// Split sums    For small maps with long sums, `splits` blocks share a tile's sum; their fp32 parts go to the
// workspace
//               [split][pixel][oc rounded up to 4] and a second kernel adds them in order: no atomics, so
//               runs agree bit by bit.
// Source        The usual multistage implicit GEMM (K ordered tap by tap, operands through swizzled shared
// memory, as CUTLASS
//               describes its implicit_gemm_convolution), with the skipping added.
#include "kernels/conv2d_implicit_gemm.h"

#include "kernels/implicit_gemm_plan.h"
#include "kernels/implicit_gemm_tiles.h"

namespace atrous::cuda {
namespace {

constexpr int kReduceThreads = 256, kReduceChannels = 4;

/// Where the parts of a split sum lie; data is null where the sum is whole.
struct Parts {
  float* data = nullptr;
  std::int64_t pixels = 0;
  int pitch = 0;  ///< channels of a pixel, a multiple of 4

  ATROUS_HOST_DEVICE float* at(int split, std::int64_t pixel, int channel) const {
    return data + (split * pixels + pixel) * pitch + channel;
  }
};

template <typename Tile>
ATROUS_KERNEL void ATROUS_LAUNCH_BOUNDS(Tile::kThreads, Tile::kBlocks)
    implicit_gemm_kernel(GemmGeometry g, const typename Tile::Element* in,
                         const typename Tile::Element* weight, Epilogue<typename Tile::Element> epilogue,
                         Parts parts) {
  ATROUS_DYNAMIC_SHARED(unsigned char, shared);
  const int split = static_cast<int>(blockIdx.z), splits = static_cast<int>(gridDim.z);
  const TilePlace at = place_tile(g, static_cast<int>(blockIdx.x), static_cast<int>(blockIdx.y) * Tile::kN);
  compute_tile<Tile>(g, at, in, weight, split, splits, shared,
                     [&](std::int64_t pixel, int channel, float(&sums)[8]) {
                       if (parts.data == nullptr)
                         finish(epilogue, pixel, channel, sums);
                       else
                         store_channels(parts.at(split, pixel, channel), true, parts.pitch - channel, sums);
                     });
}

/// One thread adds the parts of four channels of a pixel and finishes them.
template <typename T>
ATROUS_KERNEL void ATROUS_LAUNCH_BOUNDS(kReduceThreads, 1)
    reduce_parts_kernel(Parts parts, int splits, Epilogue<T> epilogue) {
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * kReduceThreads + threadIdx.x;
  const int groups = parts.pitch / kReduceChannels;
  const std::int64_t pixel = index / groups;
  const int channel = static_cast<int>(index % groups) * kReduceChannels;
  if (pixel >= parts.pixels) return;
  float sums[kReduceChannels] = {};
  for (int split = 0; split < splits; ++split) {
    const Pack<float, kReduceChannels> part = load_pack<kReduceChannels>(parts.at(split, pixel, channel));
    for (int i = 0; i < kReduceChannels; ++i) sums[i] += part.v[i];
  }
  finish(epilogue, pixel, channel, sums);
}

template <typename T, typename Tiles>
void run_on(Tiles tiles, const ImplicitGemmPlan& plan, const Conv2dAddresses& at, StreamHandle stream) {
  const GemmGeometry g = geometry_of(plan.problem, plan.tile_h, plan.tile_w);
  const Epilogue<T> epilogue = make_epilogue<T>(plan.problem, at);
  Parts parts;
  if (plan.splits > 1)
    parts = {static_cast<float*>(at.workspace), plan.problem.out.shape.pixels(),
             (g.oc + kReduceChannels - 1) / kReduceChannels * kReduceChannels};
  with_tile(tiles, plan.variant, [&](auto tile) {
    using Tile = decltype(tile);
    const Dim3 grid{static_cast<unsigned>(g.images * g.tiles_y * g.tiles_x),
                    static_cast<unsigned>((g.oc + Tile::kN - 1) / Tile::kN),
                    static_cast<unsigned>(plan.splits)};
    launch(implicit_gemm_kernel<Tile>, grid, Tile::kThreads, Tile::kSharedBytes, stream, g,
           static_cast<const T*>(at.in), static_cast<const T*>(at.weight), epilogue, parts);
  });
  if (plan.splits == 1) return;
  const std::int64_t threads = parts.pixels * (parts.pitch / kReduceChannels);
  launch(reduce_parts_kernel<T>,
         Dim3{static_cast<unsigned>((threads + kReduceThreads - 1) / kReduceThreads), 1, 1}, kReduceThreads,
         0, stream, parts, plan.splits, epilogue);
}

}  // namespace

void run_conv2d_implicit_gemm(const ImplicitGemmPlan& plan, const Conv2dAddresses& at, StreamHandle stream) {
  if (plan.math == GemmMath::fma) return run_on<float>(FmaTiles{}, plan, at, stream);
  dispatch(plan.problem.in.dtype, [&](auto element) {
    using T = decltype(element);
    run_on<T>(TensorCoreTiles<T>{}, plan, at, stream);
  });
}

}  // namespace atrous::cuda
