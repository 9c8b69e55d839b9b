// SPDX-License-Identifier: Apache-2.0
// Resizing, NHWC, bilinear and nearest. Which input pixels an output pixel reads, and with what weight, comes
// in a table an axis (core/resample.h), so that every backend rounds the same way.
//
// resize_bilinear. Rows blend first, then columns, in f32. Thread mapping: one pack of channels (16 bytes, or
// one channel) of kPixels neighbouring outputs of a row; the blended columns left and right of the output are
// kept in registers and only those that the next output does not share are made anew (upsampling by 8: 4 to 6
// loads for 4 outputs instead of 16). resize_gather. Thread mapping: one pack of one output pixel. Blocks:
// PixelTiles, kTileThreads threads. Shared memory: none. Alignment: packs need 16-byte aligned tensors with
// pitch and channels a multiple of the pack.
#include "kernels/resize.h"

#include "kernels/alignment.h"
#include "kernels/device.h"
#include "kernels/packs.h"
#include "kernels/pixel_tiles.h"

namespace atrous::cuda {
namespace {

constexpr int kPixels = 4;  ///< outputs of a thread

template <typename T>
struct Problem {
  const T* in;
  T* out;
  std::int64_t in_pitch, out_pitch;
  int ih, iw, oh, ow;
  ResizeTaps taps;
  PixelTiles tiles;
};

/// a + (b - a) * weight; exactly a for weight 0, whatever b is.
template <int V>
ATROUS_DEVICE void blend(const float (&a)[V], const float (&b)[V], float weight, float (&out)[V]) {
  for (int v = 0; v < V; ++v) out[v] = weight == 0 ? a[v] : fmaf(b[v] - a[v], weight, a[v]);
}

template <typename T, int V>
ATROUS_KERNEL ATROUS_LAUNCH_BOUNDS(kTileThreads, 2) void bilinear_kernel(const Problem<T> a) {
  const TilePosition at = locate(a.tiles);
  if (!at.valid) return;
  const int c = at.pack * V;
  const AxisTap row = a.taps.rows[at.row];
  const T* image = a.in + static_cast<std::int64_t>(at.image) * a.ih * a.iw * a.in_pitch + c;
  const T* above = image + static_cast<std::int64_t>(row.low) * a.iw * a.in_pitch;
  const T* below = image + static_cast<std::int64_t>(row.high) * a.iw * a.in_pitch;
  T* out = a.out + (static_cast<std::int64_t>(at.image) * a.oh + at.row) * a.ow * a.out_pitch + c;
  auto blend_column = [&](int column, float(&to)[V]) {
    float high[V], low[V];
    load_floats<V>(above + column * a.in_pitch, high);
    load_floats<V>(below + column * a.in_pitch, low);
    blend(high, low, row.weight, to);
  };
  float left[V] = {}, right[V] = {};
  int left_column = -1, right_column = -1;  // what is in left and right
  for (int p = 0; p < kPixels; ++p) {
    const int x = at.column * kPixels + p;
    if (x >= a.ow) break;
    const AxisTap column = a.taps.columns[x];
    if (column.low != left_column) {
      if (column.low == right_column)
        for (int v = 0; v < V; ++v) left[v] = right[v];
      else
        blend_column(column.low, left);
      left_column = column.low;
    }
    if (column.high != right_column) {
      blend_column(column.high, right);
      right_column = column.high;
    }
    float value[V];
    blend(left, right, column.weight, value);
    store_floats<V>(out + x * a.out_pitch, value);
  }
}

template <typename T>
ATROUS_KERNEL void gather_kernel(const Problem<T> a) {
  constexpr int kPack = 16 / sizeof(T);
  const TilePosition at = locate(a.tiles);
  if (!at.valid) return;
  const int row = a.taps.rows[at.row].low, column = a.taps.columns[at.column].low;
  const std::int64_t from = (static_cast<std::int64_t>(at.image) * a.ih + row) * a.iw + column,
                     to = (static_cast<std::int64_t>(at.image) * a.oh + at.row) * a.ow + at.column;
  store_pack(a.out + to * a.out_pitch + at.pack * kPack,
             load_pack<kPack>(a.in + from * a.in_pitch + at.pack * kPack));
}

template <typename T>
Problem<T> problem_of(const TensorDesc& in, const void* input, const TensorDesc& out, void* output,
                      const ResizeTaps& taps, const PixelTiles& tiles) {
  return {static_cast<const T*>(input),
          static_cast<T*>(output),
          in.pitch,
          out.pitch,
          static_cast<int>(in.shape.h),
          static_cast<int>(in.shape.w),
          static_cast<int>(out.shape.h),
          static_cast<int>(out.shape.w),
          taps,
          tiles};
}

}  // namespace

void resize_bilinear(const TensorDesc& in, const void* input, const TensorDesc& out, void* output,
                     const ResizeTaps& taps, StreamHandle stream) {
  const bool packs = takes_packs(in) && takes_packs(out);
  const Shape& o = out.shape;
  const PixelTiles tiles =
      tile_pixels(packs ? o.c / pack_size(out.dtype) : o.c, (o.w + kPixels - 1) / kPixels, o.h);
  const std::int64_t grid = tiles.blocks(o.n);
  dispatch(in.dtype, [&]<typename T>(T) {
    launch(packs ? bilinear_kernel<T, 16 / sizeof(T)> : bilinear_kernel<T, 1>, grid, kTileThreads, 0, stream,
           problem_of<T>(in, input, out, output, taps, tiles));
  });
}

void resize_gather(const TensorDesc& in, const void* input, const TensorDesc& out, void* output,
                   const ResizeTaps& taps, StreamHandle stream) {
  const Shape& o = out.shape;
  const PixelTiles tiles = tile_pixels(o.c / pack_size(out.dtype), o.w, o.h);
  const std::int64_t grid = tiles.blocks(o.n);
  dispatch(in.dtype, [&]<typename T>(T) {
    launch(gather_kernel<T>, grid, kTileThreads, 0, stream,
           problem_of<T>(in, input, out, output, taps, tiles));
  });
}

}  // namespace atrous::cuda
