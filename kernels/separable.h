// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "kernels/conv2d_implicit_gemm.h"

/// A depthwise convolution and the pointwise one of its result in one launch, for f16 and bf16. The kernel
/// file describes the algorithm.
namespace atrous::cuda {

/// Both parameters resolved. `out` has the extent that the depthwise convolution makes; `residual` counts
/// only where pointwise.has_residual. All tensors have in.dtype.
struct SeparableProblem {
  TensorDesc in, out, residual;
  Conv2dParams depthwise, pointwise;
};

/// Device addresses of one run. Weights are in the activations' type, 16-byte aligned: [kh*kw][ic] and
/// [oc][ic rounded up to pack_size(), zero where rounded up]. The biases ([ic], [oc], fp32) and the residual
/// may be null.
struct SeparableAddresses {
  const void* in = nullptr;
  const void* depthwise_weight = nullptr;
  const float* depthwise_bias = nullptr;
  const void* pointwise_weight = nullptr;
  const float* pointwise_bias = nullptr;
  const void* residual = nullptr;
  void* out = nullptr;
};

/// How a problem is cut up; it changes the time, not the result.
struct SeparablePlan {
  SeparableProblem problem;
  int variant = 0;             ///< index into separable_variants()
  int tile_h = 1, tile_w = 1;  ///< the rectangle of pixels that is a tile
  int sharers = 1;  ///< blocks that divide a tile's output channels; each filters the tile for itself

  std::size_t shared_bytes() const;
  std::string describe() const;  ///< "64x128, tile 8x8, 2 blocks a tile"
};

ImplicitGemmVariants separable_variants();

/// Why not, or "" to accept. `major`: compute capability of the device; `shared_memory`: bytes that a block
/// may have.
std::string refuse_separable(const SeparableProblem& problem, int major, std::size_t shared_memory);

/// The plan expected to be fastest on such a device, for a problem that is not refused.
SeparablePlan plan_separable(const SeparableProblem& problem, int multiprocessors, std::size_t shared_memory);
/// The best rectangle for a given variant and sharers.
SeparablePlan plan_separable_variant(const SeparableProblem& problem, int variant, int sharers);

void run_separable(const SeparablePlan& plan, const SeparableAddresses& at, StreamHandle stream);

}  // namespace atrous::cuda
