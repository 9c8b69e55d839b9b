// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/implicit_gemm_tile.h"

/// One tile of a separable convolution by one block: the depthwise result of its pixels goes to shared memory
/// and is the product's A.
///
/// The geometry is the depthwise convolution's, with the pointwise one's output channels and weight pitch.
/// `Tile` is a GemmTile, of which the stages hold B alone; all steps of A lie before them.
namespace atrous::cuda {

template <typename T>
struct DepthwiseOperands {
  const T* in = nullptr;
  const T* weight = nullptr;    ///< [kh*kw][ic]
  const float* bias = nullptr;  ///< [ic], or null
  bool vector = false;          ///< the channels are whole chunks of 16 bytes, in input and weight
  ActivationParams activation;
};

/// Shared memory of a tile of `channels` input channels in `steps` steps of K.
template <typename Tile>
struct SeparableStages {
  static constexpr int kABytes = Tile::kM * kStageRowBytes;  ///< of one step
  static constexpr int kBBytes = Tile::kN * kStageRowBytes;  ///< of one stage
  static constexpr int kStepChannels = kStageRowBytes / static_cast<int>(sizeof(typename Tile::Element));
  static_assert(Tile::kStages * kBBytes >= Tile::kM * Tile::kN * 4, "the sums are spilled to B's stages");

  ATROUS_HOST_DEVICE static int steps(int channels) { return (channels + kStepChannels - 1) / kStepChannels; }
  static std::size_t bytes(int channels) {
    return static_cast<std::size_t>(steps(channels)) * kABytes + Tile::kStages * kBBytes;
  }
};

/// Pixels that share a thread's loads of the filter.
constexpr int kFilteredPixels = 4;

/// V channels, of which the first `count` exist: one aligned load if `kVector`, which wants them all.
template <bool kVector, int V, typename T>
ATROUS_DEVICE Pack<T, V> read_pack(const T* from, int count) {
  if constexpr (kVector) {
    return load_pack<V>(from);
  } else {
    Pack<T, V> pack;
    for (int i = 0; i < V; ++i) pack.v[i] = i < count ? from[i] : from_float<T>(0);
    return pack;
  }
}

/// Adds the filter over kFilteredPixels rows of a tile, from `row`, to the sums, for V channels from
/// `channel`, of which one exists at least.
template <bool kVector, typename T, int V>
ATROUS_DEVICE void filter_pixels(const GemmGeometry& g, const TilePlace& at, const TileTaps& taps,
                                 const DepthwiseOperands<T>& d, int row, int channel,
                                 float (&sums)[kFilteredPixels][V]) {
  const int count = g.ic - channel;
  const T* image = d.in + static_cast<std::int64_t>(at.image) * g.ih * g.iw * g.in_pitch + channel;
  InputOrigin origin[kFilteredPixels];
#pragma unroll
  for (int i = 0; i < kFilteredPixels; ++i) origin[i] = input_origin(g, at, row + i);
  for (int ky = taps.y.first; ky < taps.y.last; ++ky)
    for (int kx = taps.x.first; kx < taps.x.last; ++kx) {
      Pack<T, V> values[kFilteredPixels];  // all on their way before the first is used
#pragma unroll
      for (int i = 0; i < kFilteredPixels; ++i) {
        const int y = origin[i].y + ky * g.dh, x = origin[i].x + kx * g.dw;
        const bool inside = y >= 0 && y < g.ih && x >= 0 && x < g.iw;
        values[i] = Pack<T, V>{};
        if (inside) values[i] = read_pack<kVector, V>(image + (y * g.iw + x) * g.in_pitch, count);
      }
      const Pack<T, V> weight =
          read_pack<kVector, V>(d.weight + static_cast<std::int64_t>(ky * g.kw + kx) * g.ic + channel, count);
#pragma unroll
      for (int i = 0; i < kFilteredPixels; ++i)
#pragma unroll
        for (int c = 0; c < V; ++c)
          sums[i][c] = fmaf(to_float(values[i].v[c]), to_float(weight.v[c]), sums[i][c]);
    }
}

/// The tile's depthwise result as the steps of A, rounded to T; finite past the last channel. Neighbouring
/// threads take neighbouring chunks of channels.
template <typename Tile, int kEarly>
ATROUS_DEVICE void filter_tile(const GemmGeometry& g, const TilePlace& at,
                               const DepthwiseOperands<typename Tile::Element>& d, unsigned char* a) {
  using T = typename Tile::Element;
  using Stages = SeparableStages<Tile>;
  constexpr int kVector = 16 / static_cast<int>(sizeof(T));
  const TileTaps taps = tile_taps<kEarly>(g, at);
  const int chunks = Stages::steps(g.ic) * kStageChunks;
#pragma unroll 1
  for (int item = static_cast<int>(threadIdx.x); item < chunks * (Tile::kM / kFilteredPixels);
       item += Tile::kThreads) {
    const int chunk = item % chunks, row = item / chunks * kFilteredPixels;
    const int channel = chunk * kVector, count = g.ic - channel;
    float bias[kVector] = {}, sums[kFilteredPixels][kVector];
    if (d.bias != nullptr) load_channels(d.bias + channel, true, count, bias);
#pragma unroll
    for (float(&sum)[kVector] : sums)
      for (int c = 0; c < kVector; ++c) sum[c] = bias[c];
    if (count > 0 && d.vector) filter_pixels<true>(g, at, taps, d, row, channel, sums);
    if (count > 0 && !d.vector) filter_pixels<false>(g, at, taps, d, row, channel, sums);
    unsigned char* step = a + chunk / kStageChunks * Stages::kABytes;
#pragma unroll
    for (int i = 0; i < kFilteredPixels; ++i) {
      activate(d.activation, sums[i]);
      store_floats<kVector>(reinterpret_cast<T*>(step + stage_offset(row + i, chunk % kStageChunks)),
                            sums[i]);
    }
  }
}

/// The steps of B: a column block's pointwise weights.
template <typename Tile>
class PointwiseLoader : public GemmOperands<Tile> {
  using Base = GemmOperands<Tile>;

 public:
  using Base::Base;
  ATROUS_DEVICE bool more() const { return channel_ < this->g_->ic; }
  ATROUS_DEVICE void load(unsigned char* b) {
    this->load_weights(b, channel_, channel_ + Base::chunk() * Base::kVector < this->g_->ic);
    channel_ += Base::kStep;
  }

 private:
  int channel_ = 0;
};

/// Adds the tile's A (`a`) times a column block's weights to the sums: a pipeline like that of accumulate(),
/// whose stages (`stages`, free on return) hold B alone.
template <typename Tile>
ATROUS_DEVICE void multiply_filtered(const unsigned char* a, PointwiseLoader<Tile> loader,
                                     typename Tile::Math& math, unsigned char* stages) {
  using Stages = SeparableStages<Tile>;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int row = warp / Tile::kWarpsAcross * Tile::Math::kRows;
  const int column = warp % Tile::kWarpsAcross * Tile::Math::kColumns;
  auto stage = [&](int step) { return stages + step % Tile::kStages * Stages::kBBytes; };
  int loaded = 0;
  auto load_next = [&] {
    if (loader.more()) loader.load(stage(loaded++));
    copy_async_commit();
  };
  for (int i = 0; i < Tile::kStages - 1; ++i) load_next();
#pragma unroll 1
  for (int step = 0; step < loaded; ++step) {
    copy_async_wait<Tile::kStages - 2>();
    sync_block();  // B's step and all of A are there, and nobody reads the stage that load_next() refills
    load_next();
    math.multiply(a + step * Stages::kABytes, row, stage(step), column);
  }
  copy_async_wait<0>();
  sync_block();
}

/// A block's whole work on the pixels at `at`: column blocks at.channel, at.channel + stride, ... Calls store
/// as write_sums() does. `shared`: SeparableStages<Tile>::bytes(g.ic).
template <typename Tile, int kEarly = 0, typename Store>
ATROUS_DEVICE void compute_separable_tile(const GemmGeometry& g, TilePlace at, int stride,
                                          const DepthwiseOperands<typename Tile::Element>& depthwise,
                                          const typename Tile::Element* weight, unsigned char* shared,
                                          const Store& store) {
  unsigned char* const stages = shared + SeparableStages<Tile>::steps(g.ic) * SeparableStages<Tile>::kABytes;
  filter_tile<Tile, kEarly>(g, at, depthwise, shared);
#pragma unroll 1
  for (; at.channel < g.oc; at.channel += stride) {
    typename Tile::Math math;
    multiply_filtered<Tile>(shared, PointwiseLoader<Tile>(g, at, {depthwise.in, weight}), math, stages);
    spill_sums<Tile>(math, stages);
    write_sums<Tile>(g, at, stages, store);
    sync_block();  // the next column block's stages take the place of the spilled sums
  }
}

}  // namespace atrous::cuda
