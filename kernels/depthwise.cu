// SPDX-License-Identifier: Apache-2.0
// Depthwise atrous convolution, NHWC: out(y,x,c) = act(b_c + sum_{i,j} in(y*sh - top + i*dh, x*sw - left +
// j*dw, c) * W(i,j,c) + residual(y,x,c)).
//
// Algorithm: direct, in the phases of the rate. Output pixels whose inputs lie on one lattice of the rate
// (step lcm(s,d)/s apart) form an ordinary dense convolution of their own: the "algorithme a trous" read
// backwards, Holschneider et al. 1989. Rows and columns are visited phase by phase, so neighbours in a block
// share inputs at any rate as they do at rate 1. Thread mapping: a thread computes one pack of channels (16
// bytes; one channel where the layout does not allow packs) of 4 outputs (2 for 5x5 at stride 2) of one row,
// one lattice step apart: kernel row by kernel row it loads each input column once and adds it to all outputs
// that have it as a tap (3x3: 6 loads a row for 4 outputs instead of 12). A kernel row wholly in the padding
// is skipped, a column outside is not loaded. Other sizes and strides: one output a thread, loops over the
// taps inside.
// Blocks: PixelTiles, kTileThreads threads. Shared memory: none.
// Alignment: packs need 16-byte aligned tensors with pitch and channels a multiple of the pack; else one
// channel a thread.
#include "kernels/depthwise.h"

#include <numeric>

#include "kernels/activate.h"
#include "kernels/alignment.h"
#include "kernels/device.h"
#include "kernels/packs.h"
#include "kernels/pixel_tiles.h"

namespace atrous::cuda {
namespace {

/// Outputs of a thread, for a size known at compile time (else 0) and the lattice steps between outputs: what
/// fits in 128 registers.
template <int size, int step>
constexpr int kPixels = size == 0                ? 1
                        : size == 5 && step == 2 ? 2
                                                 : 4;

/// An axis of the output in order of its phases: coordinates r, r + step, r + 2*step, ... for r = 0, 1, ...
/// One group is up to `size` successive coordinates of a phase.
struct Phases {
  int extent, step, size;
  int longer;                     ///< phases 0 .. longer-1 have one coordinate more than the others
  int long_groups, short_groups;  ///< groups of a phase

  int groups() const { return longer * long_groups + (std::min(step, extent) - longer) * short_groups; }
};

Phases phases_of(int extent, int stride, int rate, int size) {
  Phases p{extent, std::lcm(stride, rate) / stride, size, 0, 0, 0};
  const int most = (extent + p.step - 1) / p.step;  // coordinates of phase 0
  p.longer = extent - (most - 1) * p.step;
  p.long_groups = (most + size - 1) / size;
  p.short_groups = (most - 1 + size - 1) / size;
  return p;
}

/// The first output coordinate of a group.
ATROUS_DEVICE int first_of(const Phases& p, int group) {
  const int in_longer = p.longer * p.long_groups;
  const bool is_long = group < in_longer;
  const int index = is_long ? group : group - in_longer, groups = is_long ? p.long_groups : p.short_groups;
  return (is_long ? 0 : p.longer) + index / groups + index % groups * p.size * p.step;
}

template <typename T>
struct Problem {
  const T* in;
  const T* weight;
  const float* bias;
  const T* residual;
  T* out;
  std::int64_t in_pitch, residual_pitch, out_pitch;
  int ih, iw, oh, ow, channels;
  int kh, kw, sh, sw, dh, dw, top, left;
  ActivationParams activation;
  Phases rows, columns;
  PixelTiles tiles;
};

/// One row of a K-wide kernel; successive outputs lie `Step` input columns of the lattice apart. `row` is the
/// input row and `weight` the kernel's, both at the thread's channels; `left` the input column of the first
/// tap of the first output.
template <typename T, int V, int K, int Step>
ATROUS_DEVICE void add_row(const Problem<T>& a, const T* row, const T* weight, int left,
                           float (&sum)[kPixels<K, Step> * V]) {
  constexpr int kOutputs = kPixels<K, Step>;
  float w[K * V];
  for (int tap = 0; tap < K; ++tap) load_floats<V>(weight + tap * a.channels, w + tap * V);
  for (int j = 0; j < Step * (kOutputs - 1) + K; ++j) {
    const int column = left + j * a.dw;
    float value[V] = {};
    if (column >= 0 && column < a.iw) load_floats<V>(row + column * a.in_pitch, value);
    for (int p = 0; p < kOutputs; ++p) {
      const int tap = j - Step * p;
      if (tap < 0 || tap >= K) continue;
      for (int i = 0; i < V; ++i) sum[p * V + i] = fmaf(value[i], w[tap * V + i], sum[p * V + i]);
    }
  }
}

/// One row of a kernel of any width, for one output.
template <typename T, int V>
ATROUS_DEVICE void add_any_row(const Problem<T>& a, const T* row, const T* weight, int left,
                               float (&sum)[V]) {
  for (int tap = 0; tap < a.kw; ++tap) {
    const int column = left + tap * a.dw;
    if (column < 0 || column >= a.iw) continue;
    float value[V], w[V];
    load_floats<V>(row + column * a.in_pitch, value);
    load_floats<V>(weight + static_cast<std::int64_t>(tap) * a.channels, w);
    for (int i = 0; i < V; ++i) sum[i] = fmaf(value[i], w[i], sum[i]);
  }
}

/// K x K kernels with K > 0, any size with K = 0.
template <typename T, int V, int K, int Step>
ATROUS_KERNEL ATROUS_LAUNCH_BOUNDS(kTileThreads, 2) void depthwise_kernel(const Problem<T> a) {
  constexpr int kOutputs = kPixels<K, Step>;
  const TilePosition at = locate(a.tiles);
  if (!at.valid) return;
  const int y = first_of(a.rows, at.row), x = first_of(a.columns, at.column), c = at.pack * V;
  float sum[kOutputs * V] = {};
  if (a.bias != nullptr)
    for (int p = 0; p < kOutputs; ++p) load_floats<V>(a.bias + c, sum + p * V);
  const T* image = a.in + static_cast<std::int64_t>(at.image) * a.ih * a.iw * a.in_pitch + c;
  const int top = y * a.sh - a.top, left = x * a.sw - a.left;
  const int kernel_rows = K > 0 ? K : a.kh;
  for (int i = 0; i < kernel_rows; ++i) {
    const int row = top + i * a.dh;
    if (row < 0 || row >= a.ih) continue;
    const T* input = image + static_cast<std::int64_t>(row) * a.iw * a.in_pitch;
    const T* weight = a.weight + static_cast<std::int64_t>(i) * a.kw * a.channels + c;
    if constexpr (K > 0)
      add_row<T, V, K, Step>(a, input, weight, left, sum);
    else
      add_any_row<T, V>(a, input, weight, left, sum);
  }
  const std::int64_t pixel = (static_cast<std::int64_t>(at.image) * a.oh + y) * a.ow + x;
  for (int p = 0; p < kOutputs; ++p) {
    if (x + p * a.columns.step >= a.ow) break;
    const std::int64_t at_output = pixel + p * a.columns.step;
    float value[V] = {};
    if (a.residual != nullptr) load_floats<V>(a.residual + at_output * a.residual_pitch + c, value);
    for (int i = 0; i < V; ++i) value[i] += sum[p * V + i];
    activate(a.activation, value);
    store_floats<V>(a.out + at_output * a.out_pitch + c, value);
  }
}

template <typename T, int V, int K, int Step>
void launch_kernel(const Conv2dParams& p, const TensorDesc& in, const TensorDesc& residual,
                   const TensorDesc& out, const DepthwiseArgs& args, StreamHandle stream) {
  auto extent = [](std::int64_t e) { return static_cast<int>(e); };
  const Shape &i = in.shape, &o = out.shape;
  const Phases rows = phases_of(extent(o.h), p.sh, p.dh, 1),
               columns = phases_of(extent(o.w), p.sw, p.dw, kPixels<K, Step>);
  const PixelTiles tiles = tile_pixels(o.c / V, columns.groups(), rows.groups());
  const Problem<T> problem{static_cast<const T*>(args.input),
                           static_cast<const T*>(args.weight),
                           args.bias,
                           static_cast<const T*>(args.residual),
                           static_cast<T*>(args.output),
                           in.pitch,
                           residual.pitch,
                           out.pitch,
                           extent(i.h),
                           extent(i.w),
                           extent(o.h),
                           extent(o.w),
                           extent(o.c),
                           p.kh,
                           p.kw,
                           p.sh,
                           p.sw,
                           p.dh,
                           p.dw,
                           p.padding.top,
                           p.padding.left,
                           p.activation,
                           rows,
                           columns,
                           tiles};
  launch(depthwise_kernel<T, V, K, Step>, tiles.blocks(o.n), kTileThreads, 0, stream, problem);
}

template <typename T>
auto variant_of(const Conv2dParams& p, bool packs) {
  constexpr int V = 16 / sizeof(T);
  const int step = std::lcm(p.sw, p.dw) / p.dw;
  if (!packs) return launch_kernel<T, 1, 0, 0>;
  if (p.kh == 3 && p.kw == 3 && step == 1) return launch_kernel<T, V, 3, 1>;
  if (p.kh == 3 && p.kw == 3 && step == 2) return launch_kernel<T, V, 3, 2>;
  if (p.kh == 5 && p.kw == 5 && step == 1) return launch_kernel<T, V, 5, 1>;
  if (p.kh == 5 && p.kw == 5 && step == 2) return launch_kernel<T, V, 5, 2>;
  return launch_kernel<T, V, 0, 0>;
}

}  // namespace

std::string refuse_depthwise(const Conv2dParams& p, const TensorDesc& in, const TensorDesc& out) {
  constexpr std::int64_t kMost = std::int64_t{1} << 30;
  if (p.groups != in.shape.c || p.oc != p.groups) return "for one input and output channel a group only";
  if (std::max({in.shape.h, in.shape.w, in.shape.c, out.shape.pixels()}) > kMost)
    return "for up to 2^30 pixels only";
  return "";
}

void depthwise(const Conv2dParams& p, const TensorDesc& in, const TensorDesc& residual, const TensorDesc& out,
               const DepthwiseArgs& args, StreamHandle stream) {
  const bool packs =
      takes_packs(in) && takes_packs(out) && (args.residual == nullptr || takes_packs(residual));
  dispatch(in.dtype, [&]<typename T>(T) { variant_of<T>(p, packs)(p, in, residual, out, args, stream); });
}

}  // namespace atrous::cuda
