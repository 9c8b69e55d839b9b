// SPDX-License-Identifier: Apache-2.0
//
// Second half of a split sum: out = act(bias + part 0 + part 1 + ... + residual).
//
// Threads: four channels of a pixel each; neighbouring threads take neighbouring channels. Blocks of 256.
//
// Shared memory: none.
//
// Alignment: workspace 16 bytes; output and residual are accessed in vectors where they allow it.
//
// Algorithm: the parts are added in their order, so that runs agree bit by bit.
#include "kernels/split_sum.h"

#include "kernels/conv2d_epilogue.h"

namespace atrous::cuda {
namespace {

constexpr int kThreads = 256, kChannels = 4;

int pitch_of(const Conv2dProblem& problem) {
  return (problem.params.oc + kChannels - 1) / kChannels * kChannels;
}

template <typename T>
ATROUS_KERNEL void ATROUS_LAUNCH_BOUNDS(kThreads, 1) add_parts_kernel(SumParts parts, Epilogue<T> epilogue) {
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const int groups = parts.pitch / kChannels;
  const std::int64_t pixel = index / groups;
  const int channel = static_cast<int>(index % groups) * kChannels;
  if (pixel >= parts.pixels) return;
  float sums[kChannels] = {};
  for (int part = 0; part < parts.count; ++part) {
    float values[kChannels];
    load_floats<kChannels>(parts.at(part, pixel, channel), values);
    for (int i = 0; i < kChannels; ++i) sums[i] += values[i];
  }
  finish(epilogue, pixel, channel, sums);
}

}  // namespace

std::size_t sum_parts_bytes(const Conv2dProblem& problem, int count) {
  if (count == 1) return 0;
  return static_cast<std::size_t>(count) * static_cast<std::size_t>(problem.out.shape.pixels()) *
         static_cast<std::size_t>(pitch_of(problem)) * sizeof(float);
}

SumParts make_sum_parts(const Conv2dProblem& problem, int count, void* workspace) {
  if (count == 1) return {};
  return {static_cast<float*>(workspace), problem.out.shape.pixels(), pitch_of(problem), count};
}

void add_sum_parts(const SumParts& parts, const Conv2dProblem& problem, const Conv2dAddresses& at,
                   StreamHandle stream) {
  const std::int64_t threads = parts.pixels * (parts.pitch / kChannels);
  dispatch(problem.in.dtype, [&](auto element) {
    using T = decltype(element);
    launch(add_parts_kernel<T>, Dim3{(threads + kThreads - 1) / kThreads}, kThreads, 0, stream, parts,
           make_epilogue<T>(problem, at));
  });
}

}  // namespace atrous::cuda
