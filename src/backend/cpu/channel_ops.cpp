// SPDX-License-Identifier: Apache-2.0
// Operators that look at the channels of one pixel: batch norm, softmax, argmax, local response
// normalisation.
#include <algorithm>
#include <cmath>

#include "backend/cpu/kernel_of.h"
#include "core/softmax.h"
#include "ops/batch_norm.h"

namespace atrous {
namespace {

/// Calls f(input pixel, output pixel) for every pixel, rows in parallel.
template <typename Out, typename F>
void for_each_pixel(const KernelArgs& args, const TensorDesc& in, const TensorDesc& out, const F& f) {
  parallel_for(out.shape.n * out.shape.h, [&](std::int64_t row) {
    const float* from = input_of(args) + row * in.shape.w * in.pitch;
    Out* to = static_cast<Out*>(args.output) + row * out.shape.w * out.pitch;
    for (std::int64_t x = 0; x < out.shape.w; ++x) f(from + x * in.pitch, to + x * out.pitch);
  });
}

ATROUS_VECTORISE void affine_row(const float* in, const float* scale, const float* shift, float* out,
                                 std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = in[i] * scale[i] + shift[i];
}

std::unique_ptr<Kernel> prepare_batch_norm(const NodeDesc& node, PrepareContext&) {
  const ChannelAffine affine = affine_of(std::get<BatchNormParams>(node.params), node.constants);
  return kernel_of([scale = std::vector<float>(affine.scale.begin(), affine.scale.end()),
                    shift = std::vector<float>(affine.shift.begin(), affine.shift.end()), in = node.inputs[0],
                    out = node.output](const KernelArgs& args) {
    for_each_pixel<float>(args, in, out, [&](const float* from, float* to) {
      affine_row(from, scale.data(), shift.data(), to, out.shape.c);
    });
  });
}
constexpr Implementation kBatchNorm[] = {{"direct", accept_all, prepare_batch_norm}};

std::unique_ptr<Kernel> prepare_softmax(const NodeDesc& node, PrepareContext&) {
  return kernel_of([in = node.inputs[0], out = node.output](const KernelArgs& args) {
    for_each_pixel<float>(args, in, out, [&](const float* from, float* to) {
      softmax(from, to, static_cast<int>(out.shape.c));
    });
  });
}
constexpr Implementation kSoftmax[] = {{"direct", accept_all, prepare_softmax}};

std::unique_ptr<Kernel> prepare_argmax(const NodeDesc& node, PrepareContext&) {
  return kernel_of([in = node.inputs[0], out = node.output](const KernelArgs& args) {
    for_each_pixel<std::int32_t>(args, in, out, [&](const float* from, std::int32_t* to) {
      *to = static_cast<std::int32_t>(std::max_element(from, from + in.shape.c) - from);
    });
  });
}
constexpr Implementation kArgmax[] = {{"direct", accept_all, prepare_argmax}};

std::unique_ptr<Kernel> prepare_lrn(const NodeDesc& node, PrepareContext&) {
  return kernel_of([p = std::get<LrnParams>(node.params), in = node.inputs[0],
                    out = node.output](const KernelArgs& args) {
    const std::int64_t half = p.size / 2, channels = out.shape.c;
    for_each_pixel<float>(args, in, out, [&](const float* from, float* to) {
      for (std::int64_t c = 0; c < channels; ++c) {
        float squares = 0;
        for (std::int64_t j = std::max<std::int64_t>(0, c - half); j <= std::min(channels - 1, c + half); ++j)
          squares += from[j] * from[j];
        to[c] = from[c] / std::pow(p.k + p.alpha / static_cast<float>(p.size) * squares, p.beta);
      }
    });
  });
}
constexpr Implementation kLrn[] = {{"direct", accept_all, prepare_lrn}};

}  // namespace

std::span<const Implementation> cpu_batch_norm() { return kBatchNorm; }
std::span<const Implementation> cpu_softmax() { return kSoftmax; }
std::span<const Implementation> cpu_argmax() { return kArgmax; }
std::span<const Implementation> cpu_lrn() { return kLrn; }

}  // namespace atrous
