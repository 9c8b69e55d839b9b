// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "backend/cuda/runtime.h"
#include "kernels/conv2d_problem.h"

/// Convolution as an implicit matrix product with skipped taps; the kernel file describes the algorithm.
/// Weights: [oc][kh*kw*ic rounded up to pack_size()], tap-major (ky, kx, ic), in the activations' type,
/// zero where rounded up, 16-byte aligned.
namespace atrous::cuda {

/// fma: fp32 multiply-adds; tensor_core: f16 and bf16 as they are, float rounded to tf32, by warps;
/// warpgroup: f16 and bf16 by the warpgroups of compute capability 9.0. Sums are fp32 in all.
enum class GemmMath { fma, tensor_core, warpgroup };

/// Why not, or "" to accept. `major`: compute capability of the device.
std::string refuse_conv2d_implicit_gemm(const Conv2dProblem& problem, GemmMath math, int major);

/// How a problem is cut up. Which one is chosen changes the time, and a plan of several splits rounds
/// differently; nothing else changes the result.
struct ImplicitGemmPlan {
  Conv2dProblem problem;  ///< as given, pixels of all images in one row where that makes no difference
  GemmMath math = GemmMath::tensor_core;
  int variant = 0;             ///< index into implicit_gemm_variants()
  int tile_h = 1, tile_w = 1;  ///< the rectangle of pixels that is a tile, at most the variant's
  int splits = 1;  ///< parts of the sum, computed by blocks of their own and added afterwards in order

  std::size_t workspace_bytes() const;
  double skipped_taps() const;   ///< share of the taps, over all tiles, that are not loaded
  std::string describe() const;  ///< "128x64, tile 7x18, 3 splits, skips 58 % of taps"
};

/// A block's tile: pixels by output channels. `gather` takes any channel count and alignment, the others
/// whole aligned chunks of 16 bytes.
struct ImplicitGemmVariant {
  int pixels, channels;
  bool gather;
  int resident;  ///< blocks that a multiprocessor holds at once, at least
};
struct ImplicitGemmVariants {
  const ImplicitGemmVariant* data;
  int count;
};
ImplicitGemmVariants implicit_gemm_variants(GemmMath math);
/// True where the variants without gather cannot run the problem.
bool needs_gather(const Conv2dProblem& problem);

/// The plan expected to be fastest on a device with this many multiprocessors, by a model of the work (taps
/// that the tiles do not skip, waves of blocks). The splits do not depend on the number of images, nor does
/// any result.
ImplicitGemmPlan plan_implicit_gemm(const Conv2dProblem& problem, GemmMath math, int multiprocessors);
/// The best rectangle for one variant and a given number of splits.
ImplicitGemmPlan plan_implicit_gemm_variant(const Conv2dProblem& problem, GemmMath math, int variant,
                                            int splits);

void run_conv2d_implicit_gemm(const ImplicitGemmPlan& plan, const Conv2dAddresses& at, StreamHandle stream);

}  // namespace atrous::cuda
