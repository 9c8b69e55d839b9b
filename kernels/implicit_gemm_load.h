// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/implicit_gemm_geometry.h"
#include "kernels/implicit_gemm_math.h"

/// The loading half of an implicit GEMM tile: which steps of K a tile needs, and how a step gets into shared
/// memory.
///
/// A loader is made for a tile and one of `splits` equal parts of its steps; `load` fetches the current step
/// (rows of A into `a`, of B into `b`, laid out as implicit_gemm_math.h says) and moves on. Rows past the
/// tile or the map, channels past the last and pixels in the padding become zeros without being read. `Tile`
/// is a GemmTile.
namespace atrous::cuda {

/// Row r of a tile as a pixel: where its first tap reads, or far outside the input where the row has no
/// pixel.
struct InputOrigin {
  int y, x;
};
ATROUS_DEVICE InputOrigin input_origin(const GemmGeometry& g, const TilePlace& at, int row) {
  constexpr int kOutside = -(1 << 30);
  const int y = at.y + row / g.tile_w, x = at.x + row % g.tile_w;
  if (row >= g.tile_h * g.tile_w || y >= g.oh || x >= g.ow) return {kOutside, kOutside};
  return {y * g.sh - g.top, x * g.sw - g.left};
}

/// The steps of a tile, or part `split` of `splits` of them: the taps that touch the input, and of each its
/// channels, `kStep` at a time.
template <int kStep>
class TapSteps {
 public:
  ATROUS_DEVICE TapSteps(const GemmGeometry& g, const TileTaps& taps, int split, int splits)
      : g_(&g), taps_(taps) {
    const int chunks = (g.ic + kStep - 1) / kStep, steps = taps.count() * chunks;
    const int first = steps * split / splits;
    left_ = steps * (split + 1) / splits - first;
    channel_ = first % chunks * kStep;
    const int tap = first / chunks, across = taps.x.count() > 0 ? taps.x.count() : 1;
    ky_ = taps.y.first + tap / across, kx_ = taps.x.first + tap % across;
  }
  ATROUS_DEVICE int left() const { return left_; }
  ATROUS_DEVICE int ky() const { return ky_; }
  ATROUS_DEVICE int kx() const { return kx_; }
  ATROUS_DEVICE int channel() const { return channel_; }  ///< the step's first
  /// On to the next; true where that is another tap.
  ATROUS_DEVICE bool advance() {
    --left_;
    channel_ += kStep;
    if (channel_ < g_->ic) return false;
    channel_ = 0;
    if (++kx_ == taps_.x.last) kx_ = taps_.x.first, ++ky_;
    return true;
  }

 private:
  const GemmGeometry* g_;
  TileTaps taps_;
  int left_, channel_, ky_, kx_;
};

/// A convolution's operands where threads copy them.
template <typename T>
struct GemmPointers {
  const T* in;
  const T* weight;
};

/// What both loaders share: the operands, and B, whose rows are the output channels' weights.
template <typename Tile>
class GemmOperands {
 public:
  using T = typename Tile::Element;
  static constexpr int kVector = 16 / static_cast<int>(sizeof(T));  ///< elements of a 16-byte chunk
  static constexpr int kStep = kStageChunks * kVector;              ///< elements of K a step covers
  static constexpr int kRowsApart =
      Tile::kThreads / kStageChunks;  ///< a thread's chunks are this many rows apart
  static constexpr int kRowsEach = Tile::kM / kRowsApart, kColumnsEach = Tile::kN / kRowsApart;
  static_assert(Tile::kM % kRowsApart == 0 && Tile::kN % kRowsApart == 0 && kRowsApart % 8 == 0);

  ATROUS_DEVICE GemmOperands(const GemmGeometry& g, const TilePlace& at, const GemmPointers<T>& operands)
      : g_(&g), slot_(stage_offset(row(), chunk())) {
    image_ = operands.in + static_cast<std::int64_t>(at.image) * g.ih * g.iw * g.in_pitch;
    const int first = at.channel + row();
    weight_ = operands.weight + static_cast<std::int64_t>(first) * g.weight_pitch + chunk() * kVector;
    columns_ = first < g.oc ? (g.oc - first + kRowsApart - 1) / kRowsApart : 0;
  }

 protected:
  /// This thread loads chunk() of the rows row() + i * kRowsApart, to slot(i) of a stage.
  ATROUS_DEVICE static int row() { return static_cast<int>(threadIdx.x) / kStageChunks; }
  ATROUS_DEVICE static int chunk() { return static_cast<int>(threadIdx.x) % kStageChunks; }
  ATROUS_DEVICE int slot(int i) const { return slot_ + i * kRowsApart * kStageRowBytes; }

  /// This thread's chunks of B from element k of each row; `inside`: they are not past the end of the sum.
  ATROUS_DEVICE void load_weights(unsigned char* b, int k, bool inside) const {
#pragma unroll
    for (int j = 0; j < kColumnsEach; ++j) {
      const bool valid = inside && j < columns_;
      const T* from =
          valid ? weight_ + static_cast<std::int64_t>(j) * kRowsApart * g_->weight_pitch + k : weight_;
      copy_async16(b + slot(j), from, valid ? 16 : 0);
    }
  }

  const GemmGeometry* g_;
  const T* image_;
  const T* weight_;  ///< of this thread's first column, at its chunk
  int slot_;
  int columns_;  ///< how many of this thread's columns are output channels
};

/// For channels in whole aligned 16-byte chunks: a step is one tap's kStep channels, fetched by cp.async.
/// Only the taps that touch the input are steps at all.
template <typename Tile, int kEarly>
class VectorLoader : public GemmOperands<Tile> {
  using Base = GemmOperands<Tile>;
  using Base::g_;
  using typename Base::T;

 public:
  ATROUS_DEVICE VectorLoader(const GemmGeometry& g, const TilePlace& at, const GemmPointers<T>& operands,
                             int split, int splits)
      : Base(g, at, operands), steps_(g, tile_taps<kEarly>(g, at), split, splits) {
#pragma unroll
    for (int i = 0; i < Base::kRowsEach; ++i)
      origin_[i] = input_origin(g, at, Base::row() + i * Base::kRowsApart);
    seek_tap();
  }

  ATROUS_DEVICE bool more() const { return steps_.left() > 0; }

  ATROUS_DEVICE void load(unsigned char* a, unsigned char* b) {
    const int channel = steps_.channel() + Base::chunk() * Base::kVector;
    const bool inside = channel < g_->ic;
#pragma unroll
    for (int i = 0; i < Base::kRowsEach; ++i) {
      const bool valid = inside && pixel_[i] >= 0;
      copy_async16(a + this->slot(i), this->image_ + (valid ? pixel_[i] + channel : 0), valid ? 16 : 0);
    }
    this->load_weights(b, (steps_.ky() * g_->kw + steps_.kx()) * g_->ic + steps_.channel(), inside);
    if (steps_.advance()) seek_tap();
  }

 private:
  /// Where the current tap reads for each row, in elements from the image's start; -1 in the padding.
  ATROUS_DEVICE void seek_tap() {
#pragma unroll
    for (int i = 0; i < Base::kRowsEach; ++i) {
      const int y = origin_[i].y + steps_.ky() * g_->dh, x = origin_[i].x + steps_.kx() * g_->dw;
      const bool inside = y >= 0 && y < g_->ih && x >= 0 && x < g_->iw;
      pixel_[i] = inside ? (y * g_->iw + x) * g_->in_pitch : -1;
    }
  }

  TapSteps<Base::kStep> steps_;
  InputOrigin origin_[Base::kRowsEach];
  int pixel_[Base::kRowsEach];
};

/// For everything else (a stem's 3 channels, slices off the 16-byte grid): K is taps times channels without
/// gaps, A is fetched element by element. A step is skipped where none of its taps touches the input; a
/// skipped tap that shares a step with another is not read.
template <typename Tile, int kEarly>
class GatherLoader : public GemmOperands<Tile> {
  using Base = GemmOperands<Tile>;
  using Base::g_;
  using typename Base::T;

 public:
  ATROUS_DEVICE GatherLoader(const GemmGeometry& g, const TilePlace& at, const GemmPointers<T>& operands,
                             int split, int splits)
      : Base(g, at, operands), taps_(tile_taps<kEarly>(g, at)), length_(g.kh * g.kw * g.ic) {
    const int steps = (length_ + Base::kStep - 1) / Base::kStep;
    step_ = steps * split / splits, end_ = steps * (split + 1) / splits;
#pragma unroll
    for (int i = 0; i < Base::kRowsEach; ++i)
      origin_[i] = input_origin(g, at, Base::row() + i * Base::kRowsApart);
    skip();
  }

  ATROUS_DEVICE bool more() const { return step_ < end_; }

  ATROUS_DEVICE void load(unsigned char* a, unsigned char* b) {
    const int k = step_ * Base::kStep + Base::chunk() * Base::kVector, tap = k / g_->ic;
    const Element first{tap / g_->kw, tap % g_->kw, k % g_->ic};
#pragma unroll
    for (int i = 0; i < Base::kRowsEach; ++i) {
      Element at = first;
      Pack<T, Base::kVector> pack;
#pragma unroll
      for (int e = 0; e < Base::kVector; ++e) {
        pack.v[e] = read(origin_[i], at);
        advance(at);
      }
      store_pack(reinterpret_cast<T*>(a + this->slot(i)), pack);
    }
    this->load_weights(b, step_ * Base::kStep, k < length_);
    ++step_;
    skip();
  }

 private:
  struct Element {
    int ky, kx, channel;
  };

  ATROUS_DEVICE T read(const InputOrigin& origin, const Element& at) const {
    const int y = origin.y + at.ky * g_->dh, x = origin.x + at.kx * g_->dw;
    const bool inside = at.ky < g_->kh && y >= 0 && y < g_->ih && x >= 0 && x < g_->iw;
    return inside ? this->image_[(y * g_->iw + x) * g_->in_pitch + at.channel] : from_float<T>(0);
  }

  ATROUS_DEVICE void advance(Element& at) const {
    if (++at.channel < g_->ic) return;
    at.channel = 0;
    if (++at.kx == g_->kw) at.kx = 0, ++at.ky;
  }

  /// On to the next step with a tap that touches the input.
  ATROUS_DEVICE void skip() {
    while (step_ < end_ && !touched(step_ * Base::kStep)) ++step_;
  }
  ATROUS_DEVICE bool touched(int k) const {
    const int last = (smaller(k + Base::kStep, length_) - 1) / g_->ic;
    for (int tap = k / g_->ic; tap <= last; ++tap) {
      const int ky = tap / g_->kw, kx = tap % g_->kw;
      if (ky >= taps_.y.first && ky < taps_.y.last && kx >= taps_.x.first && kx < taps_.x.last) return true;
    }
    return false;
  }

  TileTaps taps_;
  InputOrigin origin_[Base::kRowsEach];
  int length_, step_, end_;
};

}  // namespace atrous::cuda
