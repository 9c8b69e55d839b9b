// SPDX-License-Identifier: Apache-2.0
//
// The branches of a spatial pyramid (ASPP: one 1x1 and several 3x3 convolutions at different rates over one
// input) as one persistent launch.
//
// Computes, for every branch b, out(y, x, slice b) = act_b(bias_b + conv_b(in)); or, summed,
// out = bias + sum over b of conv_b(in).
//
// Algorithm: the tile code is that of conv2d_implicit_gemm.cu, with its skipped taps. Branches differ in work
// by an order of magnitude (one tap, nine, or those that a high rate leaves), and so do the tiles of one
// branch. The host lists all tiles of all branches, the longest first; block b of B takes items b, 2B-1-b,
// 2B+b, ... of the list, so that the blocks' sums come out nearly even and nothing depends on timing. In the
// summed form a tile runs through all branches in one pipeline before its only epilogue; where a map has too
// few tiles for the device, each branch (or a part of its sum) is an item, and split_sum.cu adds up.
//
// Image pooling (v3): pool2d.cu's launch before this one leaves the mean of each image. The branch is then a
// product of a few rows, one an image, in the same list; the block that has a tile of it writes each row to
// all pixels of the image.
//
// Threads: a block makes one tile of pixels x channels at a time; as many blocks as the device holds at once.
//
// Shared memory: as conv2d_implicit_gemm.cu.
//
// Alignment: input and weights in whole 16-byte chunks; output in 16-byte accesses where it allows them.
//
// Source: tile lists for several products in one launch are what CUTLASS calls a grouped GEMM. ASPP: Chen et
// al., DeepLab v2 (summed; arXiv:1606.00915, section 3.2) and v3 (concatenated; arXiv:1706.05587, section
// 3.3).
#include "kernels/pyramid.h"

#include <algorithm>

#include "kernels/implicit_gemm_plan.h"
#include "kernels/implicit_gemm_tiles.h"
#include "kernels/pool2d.h"
#include "kernels/split_sum.h"

namespace atrous::cuda {
namespace {

template <typename Tile>
struct Branch {
  GemmGeometry geometry;
  typename Tile::Operands operands;
  Epilogue<typename Tile::Element> epilogue;
};

template <typename Tile>
struct Branches {
  Branch<Tile> at[kMostBranches];
  int pooled;  ///< that branch, or -1
  int pixels;  ///< of an image
};

template <typename Tile>
ATROUS_DEVICE TilePlace place_item(const Branches<Tile>& branches, const PyramidItem& item) {
  return place_tile(branches.at[item.branch].geometry, item.tile, item.channel);
}

/// The steps of all branches one after another. The item is read again for each, for want of registers.
template <typename Tile>
class BranchesLoader {
  using Loader = typename Tile::template Loader<0>;

 public:
  ATROUS_DEVICE BranchesLoader(const Branches<Tile>& branches, const PyramidItem& item, int count)
      : branches_(&branches), item_(&item), count_(count), loader_(loader_of(0)) {
    skip_empty();
  }
  ATROUS_DEVICE bool more() const { return loader_.more(); }
  ATROUS_DEVICE int left() const {  // over all branches
    int steps = loader_.left();
    for (int b = branch_ + 1; b < count_; ++b) steps += loader_of(b).left();
    return steps;
  }
  ATROUS_DEVICE int step_bytes() const { return loader_.step_bytes(); }
  template <typename... To>
  ATROUS_DEVICE void load(To... to) {
    loader_.load(to...);
    skip_empty();
  }

 private:
  ATROUS_DEVICE Loader loader_of(int branch) const {
    return Loader(branches_->at[branch].geometry, place_item(*branches_, *item_),
                  branches_->at[branch].operands, 0, 1);
  }
  ATROUS_DEVICE void skip_empty() {
    while (!loader_.more() && branch_ + 1 < count_) loader_ = loader_of(++branch_);
  }

  const Branches<Tile>* branches_;
  const PyramidItem* item_;
  int count_, branch_ = 0;
  Loader loader_;
};

template <typename Tile, bool kSumInRegisters>
ATROUS_KERNEL void ATROUS_LAUNCH_BOUNDS(Tile::kThreads, Tile::kBlocks)
    pyramid_kernel(const ATROUS_GRID_CONSTANT Branches<Tile> branches, int count, const PyramidItem* items,
                   int item_count, int splits, SumParts parts) {
  ATROUS_DYNAMIC_SHARED(unsigned char, shared);
  typename Tile::Pipeline pipeline(shared);
  const int blocks = static_cast<int>(gridDim.x), block = static_cast<int>(blockIdx.x);
  // from b to 2B-1-b to 2B+b ...: steps of 2B-1-2b and 2b+1 in turn
  for (int index = block, step = 2 * (blocks - block) - 1; index < item_count;
       index += step, step = 2 * blocks - step) {
    typename Tile::Math math;
    if constexpr (kSumInRegisters) {
      pipeline.accumulate(BranchesLoader<Tile>(branches, items[index], count), math);
    } else {
      const PyramidItem item = items[index];
      pipeline.accumulate(
          typename Tile::template Loader<0>(branches.at[item.branch].geometry, place_item(branches, item),
                                            branches.at[item.branch].operands, item.split, splits),
          math);
    }
    spill_sums<Tile>(math, shared);
    const PyramidItem item = items[index];  // again, so that it takes no registers during the products
    const GemmGeometry& g = branches.at[item.branch].geometry;
    const TilePlace at = place_item(branches, item);
    if (!kSumInRegisters && item.branch == branches.pooled)
      write_copies<Tile>(g, at, shared, branches.pixels,
                         [&](std::int64_t pixel, int channel, float(&sums)[8]) {
                           finish(branches.at[branches.pooled].epilogue, pixel, channel, sums);
                         });
    else
      write_sums<Tile>(g, at, shared, [&](std::int64_t pixel, int channel, float(&sums)[8]) {
        if (parts.data == nullptr)
          finish(branches.at[item.branch].epilogue, pixel, channel, sums);
        else
          store_channels(parts.at(item.branch * splits + item.split, pixel, channel), true,
                         parts.pitch - channel, sums);
      });
    pipeline.hand_back();
  }
}

template <typename Tile>
void run_as(const PyramidPlan& plan, const void* in, const void* mean,
            std::span<const PyramidBranchAddresses> addresses, const PyramidItem* items, void* out,
            void* workspace, StreamHandle stream) {
  using T = typename Tile::Element;
  Branches<Tile> branches{};
  branches.pooled = plan.problem.pooled;
  branches.pixels = static_cast<int>(plan.problem.out.shape.h * plan.problem.out.shape.w);
  T* slice = static_cast<T*>(out);
  const int count = static_cast<int>(plan.problem.branches.size());
  for (int b = 0; b < count; ++b) {
    const auto i = static_cast<std::size_t>(b);
    const Conv2dProblem conv = pyramid_branch(plan.problem, b);
    branches.at[b].geometry = geometry_of(conv, plan.tiles[i].h, plan.tiles[i].w);
    branches.at[b].operands =
        Tile::operands(branches.at[b].geometry, b == plan.problem.pooled ? mean : in, addresses[i].weight);
    branches.at[b].epilogue =
        make_epilogue<T>(conv, {nullptr, nullptr, addresses[i].bias, nullptr, slice, nullptr});
    if (!plan.problem.sum) slice += conv.params.oc;
  }
  const Conv2dProblem whole = pyramid_branch(plan.problem, 0);
  const SumParts parts = make_sum_parts(whole, plan.parts(), workspace);
  auto kernel = pyramid_kernel<Tile, false>;
  if constexpr (sums_in_registers(Tile::kM, Tile::kN))
    if (plan.problem.sum && plan.splits == 0) kernel = pyramid_kernel<Tile, true>;
  launch(kernel, Dim3{plan.blocks}, Tile::kThreads, Tile::kSharedBytes, stream, branches, count, items,
         static_cast<int>(plan.items.size()), std::max(plan.splits, 1), parts);
  if (plan.parts() > 1)
    add_sum_parts(parts, whole, {nullptr, nullptr, addresses[0].bias, nullptr, out, nullptr}, stream);
}

}  // namespace

void run_pyramid(const PyramidPlan& plan, const void* in, std::span<const PyramidBranchAddresses> branches,
                 const PyramidItem* items, void* out, void* workspace, StreamHandle stream) {
  if (plan.problem.pooled >= 0) {
    const TensorDesc& map = plan.problem.in;
    const BinLevel whole{1, 1, map.shape.c, workspace};
    pool_bins(PoolKind::average, map, in, {&whole, 1},
              static_cast<std::byte*>(workspace) + pooled_mean_bytes(plan.problem), stream);
  }
  auto run_tile = [&](auto tile) {
    run_as<decltype(tile)>(plan, in, workspace, branches, items, out, workspace, stream);
  };
  with_tiles<PyramidFmaTiles, PyramidTensorCoreTiles, WarpgroupTiles>(
      plan.math, plan.problem.in.dtype, [&](auto tiles) { with_tile(tiles, plan.variant, run_tile); });
}

}  // namespace atrous::cuda
