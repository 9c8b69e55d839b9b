// SPDX-License-Identifier: Apache-2.0
// Pooling, NHWC: the maximum or the mean of a window of the map, channel by channel; accumulated in f32.
//
// pool_windows. Thread mapping: one pack of channels (16 bytes, or one channel) of one output pixel, a loop
// over the window's pixels inside the map; PixelTiles, kTileThreads threads. Shared memory: none.
//
// pool_bins. Few outputs of large windows. Thread mapping: a block of 256 threads reduces a slice of a bin
// for kAcross packs of channels: neighbouring lanes take neighbouring packs, the rest of the block strides
// over the slice's pixels; then the lanes of a warp that share a pack combine by shuffles, then the warps
// through shared memory, in a fixed order. A bin above 2048 pixels is cut into slices whose results go to the
// workspace [image, bin, slice, channel] and are combined by a second kernel, a thread a channel, again in
// order: no atomics, the same bits every time. The number of slices depends on the map alone, so that a batch
// equals its images one by one. Shared memory: 2048 bytes.
//
// Alignment: packs need 16-byte aligned tensors with pitch and channels a multiple of the pack. Means are
// multiplied by the reciprocal of their count. Source: spatial pyramid pooling's bins are those of He et al.
// 2014, section 2.2.
#include "kernels/pool2d.h"

#include <algorithm>
#include <cmath>

#include "kernels/alignment.h"
#include "kernels/device.h"
#include "kernels/packs.h"
#include "kernels/pixel_tiles.h"

namespace atrous::cuda {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32;
constexpr int kSlicePixels = 1024, kMaxSlices = 64;

template <PoolKind kind>
ATROUS_DEVICE float combine(float a, float b) {
  return kind == PoolKind::max ? fmaxf(a, b) : a + b;
}
template <PoolKind kind>
ATROUS_DEVICE float nothing() {
  return kind == PoolKind::max ? -INFINITY : 0.0F;
}

/// Bin `o` of `bins` along an axis of `in` elements: [begin, end).
struct Bin {
  int begin, end;
};
ATROUS_HOST_DEVICE Bin bin_of(int o, int in, int bins) {
  const std::int64_t wide = in;
  return {static_cast<int>(o * wide / bins), static_cast<int>(((o + 1) * wide + bins - 1) / bins)};
}

/// How windows lie along an axis of `in` elements of the map; bins > 0: bins instead.
struct WindowAxis {
  int in, k, s, d, pad_begin, pad_end, bins;
};
/// Positions start, start + step, ..., `size` of them, some of which may lie outside the map.
struct Window {
  int start, size, step;
};
ATROUS_DEVICE Window window_of(const WindowAxis& a, int o) {
  if (a.bins == 0) return {o * a.s - a.pad_begin, a.k, a.d};
  const Bin bin = bin_of(o, a.in, a.bins);
  return {bin.begin, bin.end - bin.begin, 1};
}
/// What a mean divides by along the axis: positions inside the map, or inside the padded map.
ATROUS_DEVICE int counted(const WindowAxis& a, const Window& w, bool with_padding) {
  int count = 0;
  for (int i = 0, at = w.start; i < w.size; ++i, at += w.step)
    count += with_padding ? at < a.in + a.pad_end : at >= 0 && at < a.in;
  return count;
}

template <typename T>
struct WindowProblem {
  const T* in;
  T* out;
  std::int64_t in_pitch, out_pitch;
  WindowAxis rows, columns;
  bool with_padding;
  int oh, ow;
  PixelTiles tiles;
};

template <typename T, int V, PoolKind kind>
ATROUS_KERNEL ATROUS_LAUNCH_BOUNDS(kTileThreads, 2) void window_kernel(const WindowProblem<T> a) {
  const TilePosition at = locate(a.tiles);
  if (!at.valid) return;
  const int c = at.pack * V;
  const Window rows = window_of(a.rows, at.row), columns = window_of(a.columns, at.column);
  const T* image = a.in + static_cast<std::int64_t>(at.image) * a.rows.in * a.columns.in * a.in_pitch + c;
  float result[V];
  for (int v = 0; v < V; ++v) result[v] = nothing<kind>();
  for (int i = 0, row = rows.start; i < rows.size; ++i, row += rows.step) {
    if (row < 0 || row >= a.rows.in) continue;
    const T* line = image + static_cast<std::int64_t>(row) * a.columns.in * a.in_pitch;
    for (int j = 0, column = columns.start; j < columns.size; ++j, column += columns.step) {
      if (column < 0 || column >= a.columns.in) continue;
      float value[V];
      load_floats<V>(line + column * a.in_pitch, value);
      for (int v = 0; v < V; ++v) result[v] = combine<kind>(result[v], value[v]);
    }
  }
  if constexpr (kind == PoolKind::average) {
    const int count = counted(a.rows, rows, a.with_padding) * counted(a.columns, columns, a.with_padding);
    const float factor = count > 0 ? 1.0F / static_cast<float>(count) : 1.0F;
    for (int v = 0; v < V; ++v) result[v] *= factor;
  }
  const std::int64_t pixel = (static_cast<std::int64_t>(at.image) * a.oh + at.row) * a.ow + at.column;
  store_floats<V>(a.out + pixel * a.out_pitch + c, result);
}

template <typename T, int V>
void launch_windows(const Pool2dParams& p, const TensorDesc& in, const void* input, const TensorDesc& out,
                    void* output, StreamHandle stream) {
  const Shape &i = in.shape, &o = out.shape;
  const int ih = static_cast<int>(i.h), iw = static_cast<int>(i.w), oh = static_cast<int>(o.h),
            ow = static_cast<int>(o.w);
  const bool bins = p.global || p.bins_h > 0;
  const PixelTiles tiles = tile_pixels(o.c / V, ow, oh);
  const WindowProblem<T> problem{static_cast<const T*>(input),
                                 static_cast<T*>(output),
                                 in.pitch,
                                 out.pitch,
                                 {ih, p.kh, p.sh, p.dh, p.padding.top, p.padding.bottom, bins ? oh : 0},
                                 {iw, p.kw, p.sw, p.dw, p.padding.left, p.padding.right, bins ? ow : 0},
                                 p.count_include_pad,
                                 oh,
                                 ow,
                                 tiles};
  const auto kernel =
      p.kind == PoolKind::max ? window_kernel<T, V, PoolKind::max> : window_kernel<T, V, PoolKind::average>;
  launch(kernel, tiles.blocks(o.n), kTileThreads, 0, stream, problem);
}

/// A level as the kernels see it.
template <typename T>
struct Level {
  int h, w;
  std::int64_t pitch;
  T* out;
};

template <typename T>
struct BinProblem {
  const T* in;
  float* partial;  ///< [image, bin, slice, channel]
  std::int64_t in_pitch;
  int ih, iw, channels, slabs, slices, bins;  ///< bins of all levels
  std::int64_t images;
  Level<T> levels[kMaxBinLevels];
};

/// Where bin `index` of all levels' lies.
template <typename T>
struct BinPlace {
  Level<T> level;
  int index;  ///< in the level
  Bin rows, columns;
  std::int64_t area;
};

template <typename T>
ATROUS_DEVICE BinPlace<T> place_of(const BinProblem<T>& a, int bin) {
  int level = 0;
  for (; bin >= a.levels[level].h * a.levels[level].w; ++level) bin -= a.levels[level].h * a.levels[level].w;
  const Level<T>& l = a.levels[level];
  const Bin rows = bin_of(bin / l.w, a.ih, l.h), columns = bin_of(bin % l.w, a.iw, l.w);
  return {l, bin, rows, columns, (rows.end - rows.begin) * (columns.end - columns.begin)};
}

/// Writes one channel of one bin, from what its pixels combined to.
template <typename T, PoolKind kind>
ATROUS_DEVICE void finish(const BinPlace<T>& p, std::int64_t image, int channel, float value) {
  if constexpr (kind == PoolKind::average) value *= 1.0F / static_cast<float>(p.area);
  p.level.out[(image * p.level.h * p.level.w + p.index) * p.level.pitch + channel] = from_float<T>(value);
}

/// kAcross threads side by side take a pack of V channels each; both are powers of two, kAcross <= 32.
template <typename T, int V, int kAcross, PoolKind kind>
ATROUS_KERNEL ATROUS_LAUNCH_BOUNDS(kThreads, 2) void bins_kernel(const BinProblem<T> a) {
  constexpr int kAlong = kThreads / kAcross, kChannels = kAcross * V;
  ATROUS_SHARED(float, of_warp, kWarps* kChannels);
  unsigned block = blockIdx.x;
  const int first_channel = static_cast<int>(block % a.slabs) * kChannels;
  block /= a.slabs;
  const int slice = static_cast<int>(block % a.slices);
  block /= a.slices;
  const int bin = static_cast<int>(block % a.bins);
  const std::int64_t image = block / a.bins;

  const BinPlace<T> place = place_of(a, bin);
  const int across = threadIdx.x % kAcross, width = place.columns.end - place.columns.begin;
  const int end = static_cast<int>(place.area * (slice + 1) / a.slices);
  const int first = static_cast<int>(place.area * slice / a.slices) + static_cast<int>(threadIdx.x) / kAcross;
  const int c = first_channel + across * V;
  float result[V];
  for (int v = 0; v < V; ++v) result[v] = nothing<kind>();
  if (c < a.channels) {
    const T* image_at = a.in + image * a.ih * a.iw * a.in_pitch + c;
    const int step_rows = kAlong / width, step_columns = kAlong % width;
    int row = place.rows.begin + first / width, column = first % width;
    for (int i = first; i < end; i += kAlong) {
      float value[V];
      load_floats<V>(
          image_at + (static_cast<std::int64_t>(row) * a.iw + place.columns.begin + column) * a.in_pitch,
          value);
      for (int v = 0; v < V; ++v) result[v] = combine<kind>(result[v], value[v]);
      row += step_rows, column += step_columns;
      if (column >= width) column -= width, ++row;
    }
  }
  for (int distance = kAcross; distance < 32; distance *= 2)
    for (int v = 0; v < V; ++v) result[v] = combine<kind>(result[v], shuffle_xor(result[v], distance));
  const int lane = threadIdx.x % 32;
  if (lane < kAcross)
    for (int v = 0; v < V; ++v) of_warp[threadIdx.x / 32 * kChannels + lane * V + v] = result[v];
  sync_block();
  const int channel = first_channel + static_cast<int>(threadIdx.x);
  if (threadIdx.x >= kChannels || channel >= a.channels) return;
  float total = of_warp[threadIdx.x];
  for (int warp = 1; warp < kWarps; ++warp)
    total = combine<kind>(total, of_warp[warp * kChannels + threadIdx.x]);
  if (a.slices == 1)
    finish<T, kind>(place, image, channel, total);
  else
    a.partial[((image * a.bins + bin) * a.slices + slice) * a.channels + channel] = total;
}

/// A thread combines the slices of one channel of one bin.
template <typename T, PoolKind kind>
ATROUS_KERNEL void slices_kernel(const BinProblem<T> a) {
  const std::int64_t index = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (index >= a.images * a.bins * a.channels) return;
  const int channel = static_cast<int>(index % a.channels);
  const std::int64_t bin = index / a.channels;  // of all images
  const float* partial = a.partial + bin * a.slices * a.channels + channel;
  float total = nothing<kind>();
  for (int slice = 0; slice < a.slices; ++slice)
    total = combine<kind>(total, partial[static_cast<std::int64_t>(slice) * a.channels]);
  finish<T, kind>(place_of(a, static_cast<int>(bin % a.bins)), bin / a.bins, channel, total);
}

std::int64_t bins_of(std::span<const BinLevel> levels) {
  std::int64_t bins = 0;
  for (const BinLevel& level : levels) bins += std::int64_t{level.h} * level.w;
  return bins;
}

int slices_of(const TensorDesc& in, std::span<const BinLevel> levels) {
  std::int64_t largest = 1;
  for (const BinLevel& level : levels)
    largest = std::max(largest, (in.shape.h / level.h + 1) * (in.shape.w / level.w + 1));
  return static_cast<int>(std::clamp<std::int64_t>(largest / kSlicePixels, 1, kMaxSlices));
}

template <typename T, PoolKind kind>
void launch_bins(const TensorDesc& in, const void* input, std::span<const BinLevel> levels, void* workspace,
                 StreamHandle stream) {
  constexpr int kPack = 16 / sizeof(T);
  const bool packs = takes_packs(in);
  const int across = packs ? 8 * kPack : 32;  // channels of a block
  BinProblem<T> problem{};
  problem.in = static_cast<const T*>(input), problem.partial = static_cast<float*>(workspace);
  problem.in_pitch = in.pitch, problem.images = in.shape.n;
  problem.ih = static_cast<int>(in.shape.h), problem.iw = static_cast<int>(in.shape.w);
  problem.channels = static_cast<int>(in.shape.c), problem.slabs = (problem.channels + across - 1) / across;
  problem.slices = slices_of(in, levels), problem.bins = static_cast<int>(bins_of(levels));
  for (std::size_t i = 0; i < levels.size(); ++i)
    problem.levels[i] = {levels[i].h, levels[i].w, levels[i].pitch, static_cast<T*>(levels[i].output)};
  const std::int64_t blocks = in.shape.n * problem.bins * problem.slices * problem.slabs;
  launch(packs ? bins_kernel<T, kPack, 8, kind> : bins_kernel<T, 1, 32, kind>, blocks, kThreads, 0, stream,
         problem);
  if (problem.slices == 1) return;
  const std::int64_t values = in.shape.n * problem.bins * in.shape.c;
  launch(slices_kernel<T, kind>, (values + kThreads - 1) / kThreads, kThreads, 0, stream, problem);
}

}  // namespace

void pool_windows(const Pool2dParams& p, const TensorDesc& in, const void* input, const TensorDesc& out,
                  void* output, StreamHandle stream) {
  const bool packs = takes_packs(in) && takes_packs(out);
  dispatch(in.dtype, [&]<typename T>(T) {
    if (packs)
      launch_windows<T, 16 / sizeof(T)>(p, in, input, out, output, stream);
    else
      launch_windows<T, 1>(p, in, input, out, output, stream);
  });
}

std::size_t pool_bins_workspace(const TensorDesc& in, std::span<const BinLevel> levels) {
  const int slices = slices_of(in, levels);
  if (slices == 1) return 0;
  return static_cast<std::size_t>(in.shape.n * bins_of(levels) * slices * in.shape.c) * sizeof(float);
}

std::string refuse_pool_bins(const TensorDesc& in, std::span<const BinLevel> levels) {
  constexpr std::int64_t kMost = std::int64_t{1} << 31;
  if (levels.empty() || levels.size() > kMaxBinLevels) return "for one to four levels of bins only";
  if (in.shape.h * in.shape.w >= kMost || in.shape.c >= kMost) return "for maps below 2^31 pixels only";
  if (in.shape.n * bins_of(levels) * slices_of(in, levels) * ((in.shape.c + 31) / 32) >= kMost)
    return "for fewer than 2^31 blocks only";
  return "";
}

void pool_bins(PoolKind kind, const TensorDesc& in, const void* input, std::span<const BinLevel> levels,
               void* workspace, StreamHandle stream) {
  dispatch(in.dtype, [&]<typename T>(T) {
    if (kind == PoolKind::max)
      launch_bins<T, PoolKind::max>(in, input, levels, workspace, stream);
    else
      launch_bins<T, PoolKind::average>(in, input, levels, workspace, stream);
  });
}

}  // namespace atrous::cuda
