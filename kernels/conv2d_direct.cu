// SPDX-License-Identifier: Apache-2.0
//
// Convolution of every shape, dtype, rate and group count, by its definition (Conv2dParams). Last in its
// list.
//
// Threads: one output pixel and four neighbouring channels of one group (one channel where a group's channels
// are no multiple of four); neighbouring threads take neighbouring channels, so that a warp reads its weights
// in one piece and the same input. Blocks of 128.
//
// Shared memory: none.
//
// Alignment: weights 16 bytes; output and residual are accessed in vectors where they allow it.
//
// Algorithm: the taps inside the input are a rectangle per pixel; sums are fp32, over taps and then channels.
#include "kernels/conv2d_direct.h"

#include "kernels/conv2d_epilogue.h"
#include "kernels/split_sum.h"
#include "kernels/taps.h"

namespace atrous::cuda {
namespace {

constexpr int kThreads = 128;

struct DirectGeometry {
  std::int64_t ih, iw, in_pitch, oh, ow, pixels;
  int ic, oc, groups;  ///< ic: of a group
  int kh, kw, sh, sw, dh, dw, top, left;
};

template <typename T, int V>
ATROUS_KERNEL void ATROUS_LAUNCH_BOUNDS(kThreads, 4)
    direct_kernel(DirectGeometry g, const T* in, const T* weight, Epilogue<T> epilogue, SumParts parts,
                  int part) {
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const int across = g.oc / V, channel = static_cast<int>(index % across) * V;
  const std::int64_t pixel = index / across;
  if (pixel >= g.pixels) return;
  const std::int64_t x = pixel % g.ow, y = pixel / g.ow % g.oh;
  const std::int64_t left = x * g.sw - g.left, top = y * g.sh - g.top;
  const TapRange rows = touched_taps(top, top, g.ih, g.kh, g.dh),
                 columns = touched_taps(left, left, g.iw, g.kw, g.dw);
  const T* image = in + pixel / g.ow / g.oh * g.ih * g.iw * g.in_pitch + channel / (g.oc / g.groups) * g.ic;
  float sum[V] = {};
  for (int ky = rows.first; ky < rows.last; ++ky)
    for (int kx = columns.first; kx < columns.last; ++kx) {
      const T* from = image + ((top + static_cast<std::int64_t>(ky) * g.dh) * g.iw + left +
                               static_cast<std::int64_t>(kx) * g.dw) *
                                  g.in_pitch;
      const T* w = weight + (static_cast<std::int64_t>(ky) * g.kw + kx) * g.ic * g.oc + channel;
      for (int i = 0; i < g.ic; ++i) {
        const float value = to_float(from[i]);
        float taps[V];
        load_channels(w + static_cast<std::int64_t>(i) * g.oc, true, V, taps);
        for (int v = 0; v < V; ++v) sum[v] = fmaf(value, taps[v], sum[v]);
      }
    }
  if (parts.data == nullptr)
    finish(epilogue, pixel, channel, sum);
  else
    store_channels(parts.at(part, pixel, channel), true, parts.pitch - channel, sum);
}

template <typename T, int V>
void run_as(const Conv2dProblem& problem, const Conv2dAddresses& at, const SumParts& parts, int part,
            StreamHandle stream) {
  const Conv2dParams& p = problem.params;
  const Shape &in = problem.in.shape, &out = problem.out.shape;
  const DirectGeometry g{in.h,
                         in.w,
                         problem.in.pitch,
                         out.h,
                         out.w,
                         out.pixels(),
                         static_cast<int>(in.c / p.groups),
                         p.oc,
                         p.groups,
                         p.kh,
                         p.kw,
                         p.sh,
                         p.sw,
                         p.dh,
                         p.dw,
                         p.padding.top,
                         p.padding.left};
  const std::int64_t blocks = (out.pixels() * (p.oc / V) + kThreads - 1) / kThreads;
  launch(direct_kernel<T, V>, Dim3{blocks}, kThreads, 0, stream, g, static_cast<const T*>(at.in),
         static_cast<const T*>(at.weight), make_epilogue<T>(problem, at), parts, part);
}

void run(const Conv2dProblem& problem, const Conv2dAddresses& at, const SumParts& parts, int part,
         StreamHandle stream) {
  dispatch(problem.in.dtype, [&](auto element) {
    using T = decltype(element);
    if (problem.params.oc / problem.params.groups % 4 == 0)
      run_as<T, 4>(problem, at, parts, part, stream);
    else
      run_as<T, 1>(problem, at, parts, part, stream);
  });
}

}  // namespace

void run_conv2d_direct(const Conv2dProblem& problem, const Conv2dAddresses& at, StreamHandle stream) {
  run(problem, at, {}, 0, stream);
}

std::size_t direct_sum_bytes(const Conv2dProblem& problem, int count) {
  return sum_parts_bytes(problem, count);
}

void run_conv2d_direct_sum(std::span<const Conv2dProblem> problems, std::span<const void* const> weights,
                           const Conv2dAddresses& at, StreamHandle stream) {
  const int count = static_cast<int>(problems.size());
  const SumParts parts = make_sum_parts(problems[0], count, at.workspace);
  for (int i = 0; i < count; ++i) {
    Conv2dAddresses of_part = at;
    of_part.weight = weights[static_cast<std::size_t>(i)];
    run(problems[static_cast<std::size_t>(i)], of_part, parts, i, stream);
  }
  if (count > 1) add_sum_parts(parts, problems[0], at, stream);
}

}  // namespace atrous::cuda
