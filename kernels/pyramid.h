// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "kernels/conv2d_implicit_gemm.h"

/// Several convolutions over one input in one launch: the branches of ASPP. The kernel file describes the
/// algorithm.
namespace atrous::cuda {

constexpr int kMostBranches = 5;

/// Branch b writes the channels of `out` that follow those of the branches before it; or, with `sum`, all
/// branches have out.shape.c channels and are added up (DeepLab v2). The parameters are resolved; every
/// branch's output has the extent of `out`. Activations are each branch's own; a sum has one, the last
/// branch's. The branch `pooled`, if any, is a pointwise one of the mean over the map, written to every
/// pixel.
struct PyramidProblem {
  TensorDesc in, out;
  std::vector<Conv2dParams> branches;
  bool sum = false;
  int pooled = -1;
};

/// A branch's constants on the device, laid out as for conv2d_implicit_gemm.h. Of a sum, only the first
/// branch's bias counts and is the sum of all.
struct PyramidBranchAddresses {
  const void* weight = nullptr;
  const float* bias = nullptr;
};

/// One tile for a block to compute. With the plan's `splits` it is one of so many equal parts of the branch's
/// sum; a tile of a sum without splits is of branch 0 and goes through all branches.
struct PyramidItem {
  int branch, tile, channel;  ///< `channel`: the branch's first of the tile
  int split;
};

struct PyramidPlan {
  PyramidProblem problem;
  GemmMath math = GemmMath::tensor_core;
  int variant = 0;  ///< index into pyramid_variants()
  struct Rectangle {
    int h = 1, w = 1;
  };
  std::array<Rectangle, kMostBranches> tiles;
  int splits =
      0;  ///< of a sum only: 0 adds the branches up in registers; else each branch has this many parts
  std::vector<PyramidItem> items;  ///< the most work first; its copy on the device goes to run_pyramid()
  int blocks = 1;

  int parts() const { return splits == 0 ? 1 : splits * static_cast<int>(problem.branches.size()); }
  std::size_t workspace_bytes() const;
  std::string describe() const;  ///< "64x64, 340 tiles on 264 blocks"
};

/// The tiles to choose from; none gathers.
ImplicitGemmVariants pyramid_variants(GemmMath math);
/// Whether a tile can run through all branches of a sum (splits 0): the largest has no registers left for it.
constexpr bool sums_in_registers(int pixels, int channels) { return pixels * channels < 128 * 128; }

/// A branch as a convolution by itself, with its slice of the output; of a sum, with the activation of the
/// whole. The pooled one is of the means of all images as one row of pixels, into as many pixels.
Conv2dProblem pyramid_branch(const PyramidProblem& problem, int branch);

/// Bytes of the means at the start of the workspace; 0 without a pooled branch.
std::size_t pooled_mean_bytes(const PyramidProblem& problem);

/// Why not, or "" to accept. `major`: compute capability of the device.
std::string refuse_pyramid(const PyramidProblem& problem, GemmMath math, int major);

/// Expected to be fastest on a device with this many multiprocessors. The splits, on which the rounding of a
/// sum depends, do not depend on the number of images; nothing else changes a result.
PyramidPlan plan_pyramid(const PyramidProblem& problem, GemmMath math, int multiprocessors);
/// With a given variant and given splits.
PyramidPlan plan_pyramid_variant(const PyramidProblem& problem, GemmMath math, int variant, int splits,
                                 int multiprocessors);

/// `branches`: one for each of the problem's; `items`: plan.items on the device; `workspace`:
/// plan.workspace_bytes(), 16-byte aligned. A pooled branch takes a launch before, for the mean.
void run_pyramid(const PyramidPlan& plan, const void* in, std::span<const PyramidBranchAddresses> branches,
                 const PyramidItem* items, void* out, void* workspace, StreamHandle stream);

}  // namespace atrous::cuda
