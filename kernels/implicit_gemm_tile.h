// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <type_traits>

#include "kernels/conv2d_epilogue.h"
#include "kernels/implicit_gemm_load.h"

/// One tile of an implicit GEMM by one block: a multistage pipeline of cp.async into shared memory, and the
/// epilogue.
namespace atrous::cuda {

/// How the stages are filled and used: every thread copies its chunks, and a barrier of the block ends each
/// step.
template <typename Tile>
class CopyPipeline {
 public:
  ATROUS_DEVICE explicit CopyPipeline(unsigned char* shared) : shared_(shared) {}

  /// Adds the loader's steps to the sums; the shared memory (Tile::kSharedBytes) is free for other use on
  /// return.
  template <typename Loader>
  ATROUS_DEVICE void accumulate(Loader loader, typename Tile::Math& math) {
    constexpr int kABytes = Tile::kM * kStageRowBytes;
    const int warp = static_cast<int>(threadIdx.x) / 32;
    const int row = warp / Tile::kWarpsAcross * Tile::Math::kRows;
    const int column = warp % Tile::kWarpsAcross * Tile::Math::kColumns;
    auto stage = [&](int step) { return shared_ + step % Tile::kStages * Tile::kStageBytes; };
    int loaded = 0;
    auto load_next = [&] {
      if (loader.more()) {
        loader.load(stage(loaded), stage(loaded) + kABytes);
        ++loaded;
      }
      copy_async_commit();
    };
    for (int i = 0; i < Tile::kStages - 1; ++i) load_next();
#pragma unroll 1
    for (int step = 0; step < loaded; ++step) {
      copy_async_wait<Tile::kStages - 2>();
      sync_block();  // the step has arrived for all, and nobody still reads the stage that load_next()
                     // refills
      load_next();
      math.multiply(stage(step), row, stage(step) + kABytes, column);
    }
    copy_async_wait<0>();
    sync_block();
  }

  /// After a tile, before the next.
  ATROUS_DEVICE static void hand_back() {
    sync_block();  // the next tile's stages take the place of the spilled sums
  }

 private:
  unsigned char* shared_;
};

/// kM pixels by kN output channels, one warp for each block of the policy's size.
template <typename MathPolicy, int kPixels, int kChannels, int kStageCount, bool kGathered = false>
struct GemmTile {
  using Math = MathPolicy;
  using Element = typename Math::Element;
  static constexpr int kM = kPixels, kN = kChannels, kStages = kStageCount;
  static constexpr bool kGather = kGathered;
  static constexpr int kWarpsAcross = kN / Math::kColumns, kWarps = kM / Math::kRows * kWarpsAcross;
  static constexpr int kThreads = kWarps * 32;
  static constexpr int kStageBytes = (kM + kN) * kStageRowBytes;
  static constexpr int kSharedBytes = kStages * kStageBytes;
  static constexpr int kBlocks =
      2 * 256 / kThreads - (kThreads == 128 ? 1 : 0);  ///< at least so many at a time
  static_assert(kM % Math::kRows == 0 && kN % Math::kColumns == 0);
  static_assert(kSharedBytes >= kM * kN * 4, "the sums are spilled to the stages");

  using Operands = GemmPointers<Element>;
  template <int kEarly>
  using Loader = std::conditional_t<kGather, GatherLoader<GemmTile, kEarly>, VectorLoader<GemmTile, kEarly>>;
  using Pipeline = CopyPipeline<GemmTile>;
  static Operands operands(const GemmGeometry&, const void* in, const void* weight) {
    return {static_cast<const Element*>(in), static_cast<const Element*>(weight)};
  }
};

/// Where a warp leaves its sums for the epilogue: they go through shared memory, so that neighbouring lanes
/// store neighbouring channels and the registers are free. Its columns are slabs of kSpillColumns.
template <typename Tile>
ATROUS_DEVICE float* sums_of_warp(unsigned char* shared, int warp) {
  return reinterpret_cast<float*>(shared) + warp * Tile::Math::kRows * Tile::Math::kColumns;
}
template <typename Tile>
ATROUS_DEVICE void spill_sums(const typename Tile::Math& math, unsigned char* shared) {
  const int warp = static_cast<int>(threadIdx.x) / 32;
  if (warp < Tile::kWarps) math.spill(sums_of_warp<Tile>(shared, warp));
  sync_warp();
}

/// Calls store(pixel of the whole batch, channel, eight sums) for every group of eight channels of the
/// spilled tile that has a channel below oc. A warp takes its own sums.
template <typename Tile, typename Store>
ATROUS_DEVICE void write_sums(const GemmGeometry& g, const TilePlace& at, unsigned char* shared,
                              const Store& store) {
  using Math = typename Tile::Math;
  constexpr int kLanesARow = kSpillColumns / 8;
  const int warp = static_cast<int>(threadIdx.x) / 32, column = lane_id() % kLanesARow * 8;
  if (warp >= Tile::kWarps) return;
#pragma unroll 1
  for (int slab = 0; slab < Math::kColumns; slab += kSpillColumns) {
    const int channel = at.channel + warp % Tile::kWarpsAcross * Math::kColumns + slab + column;
    const float* spilled = sums_of_warp<Tile>(shared, warp) + slab * Math::kRows;
#pragma unroll 1
    for (int i = lane_id() / kLanesARow; i < Math::kRows; i += 32 / kLanesARow) {
      const int row = warp / Tile::kWarpsAcross * Math::kRows + i;
      const int y = at.y + row / g.tile_w, x = at.x + row % g.tile_w;
      if (row < g.tile_h * g.tile_w && y < g.oh && x < g.ow && channel < g.oc) {
        float sums[8];
        load_channels(spilled + spill_offset(i, column), true, 8, sums);
        store((static_cast<std::int64_t>(at.image) * g.oh + y) * g.ow + x, channel, sums);
      }
    }
  }
}

/// The same for a tile of one row of pixels, with `copies` pixels in place of each: those of pixel p are p *
/// copies and the following. The whole block works on each.
template <typename Tile, typename Store>
ATROUS_DEVICE void write_copies(const GemmGeometry& g, const TilePlace& at, unsigned char* shared, int copies,
                                const Store& store) {
  using Math = typename Tile::Math;
  constexpr int kGroups = Tile::kN / 8, kAtOnce = Tile::kThreads / kGroups;
  static_assert(Tile::kThreads % kGroups == 0);
  const int thread = static_cast<int>(threadIdx.x), column = thread % kGroups * 8;
  const int slab = column % Math::kColumns / kSpillColumns * kSpillColumns;
  sync_block();  // each warp has spilled its sums
  if (at.channel + column >= g.oc) return;
#pragma unroll 1
  for (int row = 0; row < smaller(g.tile_w, g.ow - at.x); ++row) {
    const int warp = row / Math::kRows * Tile::kWarpsAcross + column / Math::kColumns;
    const float* spilled = sums_of_warp<Tile>(shared, warp) + slab * Math::kRows +
                           spill_offset(row % Math::kRows, column % kSpillColumns);
#pragma unroll 1
    for (int copy = thread / kGroups; copy < copies; copy += kAtOnce) {
      float sums[8];
      load_channels(spilled, true, 8, sums);
      store(static_cast<std::int64_t>(at.x + row) * copies + copy, at.channel + column, sums);
    }
  }
}

/// A block's whole work on one tile, or on part `split` of `splits` of its sum.
template <typename Tile, int kEarly = 0, typename Store>
ATROUS_DEVICE void compute_tile(const GemmGeometry& g, const TilePlace& at,
                                const typename Tile::Operands& operands, int split, int splits,
                                unsigned char* shared, const Store& store) {
  typename Tile::Math math;
  typename Tile::Pipeline pipeline(shared);
  pipeline.accumulate(typename Tile::template Loader<kEarly>(g, at, operands, split, splits), math);
  spill_sums<Tile>(math, shared);
  write_sums<Tile>(g, at, shared, store);
}

}  // namespace atrous::cuda
