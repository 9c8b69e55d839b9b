// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/device_sm90.h"
#include "kernels/implicit_gemm_tile.h"

/// One tile of an implicit GEMM for compute capability 9.0: the bulk copy engine brings a step's boxes, of
/// the input and of the weights, and warpgroups multiply them from shared memory.
///
/// A tile's pixels are a rectangle, and a tap's inputs for it a rectangle too, moved by the tap and stepping
/// by the stride: one box, of which the engine fills with zeros what lies in the padding or past the last
/// channel. No thread computes an address. A step is 64 channels: rows of 128 bytes, A's being pixels and B's
/// output channels, K contiguous in both. Rows of A past the rectangle hold anything, and so do their sums.
///
/// The last warp of a block only begins copies; each warpgroup of the others multiplies 64 pixels. Two
/// barriers a stage hand it over: `full` when its bytes have come, `empty` when all multiplying warps are
/// done with it.
namespace atrous::cuda {

constexpr int kBulkRowBytes = 128, kBulkChannels = 64;

/// A convolution's operands where the copy engine brings them.
struct GemmMaps {
  TensorMap in;      ///< [image][row][column][channel], boxes of one tap of a tile
  TensorMap weight;  ///< [output channel][tap][input channel], boxes of one tap of a column block
};

/// On the host. `columns`: output channels of a tile.
inline GemmMaps make_gemm_maps(const GemmGeometry& g, int columns, const void* in, const void* weight) {
  const std::int64_t pitch = g.in_pitch, row = pitch * g.iw;
  return {make_tensor_map({in,
                           4,
                           {g.ic, g.iw, g.ih, g.images},
                           {1, pitch, row, row * g.ih},
                           {kBulkChannels, g.tile_w, g.tile_h, 1},
                           {1, g.sw, g.sh, 1}}),
          make_tensor_map({weight,
                           3,
                           {g.ic, g.kh * g.kw, g.oc},
                           {1, g.ic, g.weight_pitch},
                           {kBulkChannels, 1, columns},
                           {1, 1, 1}})};
}

/// A warpgroup's 64 pixels times the tile's columns, in products of at most 128 of them; a warp holds 16
/// rows.
template <typename T, int kColumnsOfTile>
struct WarpgroupMath {
  using Element = T;
  static constexpr int kRows = 16, kColumns = kColumnsOfTile, kWide = kColumns < 128 ? kColumns : 128;
  static_assert(kColumns % kWide == 0);

  float sum[kColumns / kWide][kWide / 2] = {};

  /// Begins the products of one step; `a`: the warpgroup's first row, `b`: the first column's.
  ATROUS_DEVICE void begin(const unsigned char* a, const unsigned char* b) {
    warpgroup_begin(sum);
#pragma unroll
    for (int k = 0; k < kBulkRowBytes; k += 32)
#pragma unroll
      for (int j = 0; j < kColumns / kWide; ++j)
        warpgroup_multiply<T, kWide>(sum[j], a + k, b + j * kWide * kBulkRowBytes + k);
    warpgroup_commit();
  }

  /// All sums to the warp's own kRows * kColumns floats of shared memory.
  ATROUS_DEVICE void spill(float* out) const {
    const int row = lane_id() / 4, first = lane_id() % 4 * 2;
#pragma unroll
    for (int j = 0; j < kColumns / kWide; ++j)
#pragma unroll
      for (int n = 0; n < kWide / 8; ++n) {
        const int column = j * kWide + n * 8 + first;
        float* slab = out + column / kSpillColumns * kRows * kSpillColumns;
        const float* from = &sum[j][4 * n];
        store_pack(slab + spill_offset(row, column % kSpillColumns), Pack<float, 2>{{from[0], from[1]}});
        store_pack(slab + spill_offset(row + 8, column % kSpillColumns), Pack<float, 2>{{from[2], from[3]}});
      }
  }
};

/// The boxes of a tile's steps, for the thread that begins the copies; the others ask how many there are.
template <typename Tile, int kEarly>
class BulkLoader {
 public:
  ATROUS_DEVICE BulkLoader(const GemmGeometry& g, const TilePlace& at, const GemmMaps& maps, int split,
                           int splits)
      : g_(&g), maps_(&maps), at_(at), steps_(g, tile_taps<kEarly>(g, at), split, splits) {}

  ATROUS_DEVICE bool more() const { return left() > 0; }
  ATROUS_DEVICE int left() const { return steps_.left(); }
  ATROUS_DEVICE int step_bytes() const { return (g_->tile_h * g_->tile_w + Tile::kN) * kBulkRowBytes; }

  ATROUS_DEVICE void load(unsigned char* a, unsigned char* b, Mbarrier* full) {
    const int y = at_.y * g_->sh - g_->top + steps_.ky() * g_->dh;
    const int x = at_.x * g_->sw - g_->left + steps_.kx() * g_->dw;
    bulk_copy(a, maps_->in, {steps_.channel(), x, y, at_.image}, full);
    bulk_copy(b, maps_->weight, {steps_.channel(), steps_.ky() * g_->kw + steps_.kx(), at_.channel}, full);
    steps_.advance();
  }

 private:
  const GemmGeometry* g_;
  const GemmMaps* maps_;
  TilePlace at_;
  TapSteps<kBulkChannels> steps_;
};

/// The stages and their barriers, for all tiles that a block makes.
template <typename Tile>
class BulkPipeline {
  static constexpr int kStages = Tile::kStages, kABytes = Tile::kM * kBulkRowBytes;

 public:
  ATROUS_DEVICE explicit BulkPipeline(unsigned char* shared) {
    stages_ = swizzle_start(shared);
    full_ = reinterpret_cast<Mbarrier*>(stages_ + kStages * Tile::kStageBytes);
    if (threadIdx.x == 0) {
      for (int i = 0; i < kStages; ++i) {
        mbarrier_init(full(i), 1);
        mbarrier_init(empty(i), Tile::kWarps);
      }
      mbarrier_init_fence();
    }
    sync_block();
  }

  /// Adds the loader's steps to the sums; the shared memory below the barriers (Tile::kSpillBytes) is free
  /// for other use on return, until the next call.
  template <typename Loader>
  ATROUS_DEVICE void accumulate(Loader loader, typename Tile::Math& math) {
    const int warp = static_cast<int>(threadIdx.x) / 32, steps = loader.left();
    if (warp == Tile::kWarps)
      copy(loader, steps);
    else
      multiply(math, warp, steps);
    sync_block();  // all have left the stages
  }

  /// After a tile, before the next: what threads have written to the stages comes before the next copies.
  ATROUS_DEVICE static void hand_back() {
    fence_async();
    sync_block();
  }

 private:
  ATROUS_DEVICE Mbarrier* full(int stage) const { return full_ + stage; }
  ATROUS_DEVICE Mbarrier* empty(int stage) const { return full_ + kStages + stage; }
  ATROUS_DEVICE unsigned char* a(int stage) const { return stages_ + stage * Tile::kStageBytes; }
  ATROUS_DEVICE unsigned char* b(int stage) const { return a(stage) + kABytes; }

  ATROUS_DEVICE void advance() {
    if (++stage_ == kStages) stage_ = 0, round_ ^= 1;
  }

  template <typename Loader>
  ATROUS_DEVICE void copy(Loader& loader, int steps) {
#pragma unroll 1
    for (; steps > 0; --steps, advance()) {
      if (lane_id() != 0) continue;
      mbarrier_wait(empty(stage_), round_ ^ 1);  // at once in the first round: no phase is complete yet
      mbarrier_arrive_expect(full(stage_), loader.step_bytes());
      loader.load(a(stage_), b(stage_), full(stage_));
    }
  }

  ATROUS_DEVICE void multiply(typename Tile::Math& math, int warp, int steps) {
    const int first_row = warp / 4 * 64 * kBulkRowBytes;
    int before = 0;  // the stage of the step before
#pragma unroll 1
    for (int step = 0; step < steps; ++step, advance()) {
      mbarrier_wait(full(stage_), round_);
      math.begin(a(stage_) + first_row, b(stage_));
      warpgroup_wait<1>();
      if (step > 0) release(before);
      before = stage_;
    }
    warpgroup_finish(math.sum);
    if (steps > 0) release(before);
  }

  ATROUS_DEVICE void release(int stage) const {
    if (lane_id() == 0) mbarrier_arrive(empty(stage));
  }

  unsigned char* stages_;
  Mbarrier* full_;  ///< of every stage; those for `empty` follow
  int stage_ = 0;
  unsigned round_ = 0;  ///< parity of the passes over the stages
};

/// kM pixels by kN output channels.
template <typename T, int kPixels, int kChannels, int kStageCount, int kResident>
struct WarpgroupTile {
  using Math = WarpgroupMath<T, kChannels>;
  using Element = T;
  static constexpr int kM = kPixels, kN = kChannels, kStages = kStageCount;
  static constexpr bool kGather = false;
  static constexpr int kWarpsAcross = 1, kWarps = kM / 16, kThreads = (kWarps + 1) * 32;
  static constexpr int kStageBytes = (kM + kN) * kBulkRowBytes;
  static constexpr int kSpillBytes = kM * kN * 4;
  static constexpr int kSharedBytes =
      kSwizzleAlignment + kStages * kStageBytes + 2 * kStages * static_cast<int>(sizeof(Mbarrier));
  static constexpr int kBlocks = kResident;  ///< at least so many at a time
  static_assert(kM % 64 == 0 && kSpillBytes <= kStages * kStageBytes);

  using Operands = GemmMaps;
  template <int kEarly>
  using Loader = BulkLoader<WarpgroupTile, kEarly>;
  using Pipeline = BulkPipeline<WarpgroupTile>;
  static Operands operands(const GemmGeometry& g, const void* in, const void* weight) {
    return make_gemm_maps(g, kN, in, weight);
  }
};

}  // namespace atrous::cuda
