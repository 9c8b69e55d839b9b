// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>

#include "backend/cpu/kernel_of.h"
#include "ops/window.h"

namespace atrous {
namespace {

ATROUS_VECTORISE void max_into(const float* in, float* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = in[i] > out[i] ? in[i] : out[i];
}
ATROUS_VECTORISE void add_into(const float* in, float* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] += in[i];
}
ATROUS_VECTORISE void scale_by(float* out, float factor, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] *= factor;
}

/// One axis of a window: positions first, first + step, ... `count` of them inside the input; `counted` is
/// what an average divides by along this axis.
struct Span {
  std::int64_t first, step, count, counted;
};

Span window_span(std::int64_t o, std::int64_t in, int k, int s, int d, int pad_begin, int pad_end,
                 bool count_pad) {
  const std::int64_t start = o * s - pad_begin;
  const std::int64_t skipped = start < 0 ? (-start + d - 1) / d : 0;
  const std::int64_t reach = std::max<std::int64_t>(0, (in - start + d - 1) / d),
                     padded = (in + pad_end - start + d - 1) / d;
  const std::int64_t count = std::max<std::int64_t>(0, std::min<std::int64_t>(k, reach) - skipped);
  return {start + skipped * d, d, count, count_pad ? std::min<std::int64_t>(k, padded) : count};
}

Span bin_span(std::int64_t o, std::int64_t in, std::int64_t bins) {
  const std::int64_t begin = o * in / bins, end = ((o + 1) * in + bins - 1) / bins;
  return {begin, 1, end - begin, end - begin};
}

/// Reduces the pixels of a window to one; channels are contiguous.
void pool_window(PoolKind kind, const float* image, const TensorDesc& in, const Span& rows,
                 const Span& columns, float* out) {
  const std::int64_t channels = in.shape.c;
  const bool max = kind == PoolKind::max;
  std::fill_n(out, channels, max ? -std::numeric_limits<float>::infinity() : 0.0F);
  for (std::int64_t i = 0; i < rows.count; ++i)
    for (std::int64_t j = 0; j < columns.count; ++j) {
      const float* pixel =
          image + ((rows.first + i * rows.step) * in.shape.w + columns.first + j * columns.step) * in.pitch;
      (max ? max_into : add_into)(pixel, out, channels);
    }
  if (!max && rows.counted * columns.counted > 0)
    scale_by(out, 1.0F / static_cast<float>(rows.counted * columns.counted), channels);
}

std::unique_ptr<Kernel> prepare_windows(const NodeDesc& node, PrepareContext&) {
  auto p = std::get<Pool2dParams>(node.params);
  const TensorDesc in = node.inputs[0], out = node.output;
  p.padding = resolve_padding(p.padding, in.shape, p.kh, p.kw, p.sh, p.sw, p.dh, p.dw);
  return kernel_of([p, in, out](const KernelArgs& args) {
    const Shape& s = out.shape;
    parallel_for(s.n * s.h, [&](std::int64_t row) {
      const float* image = input_of(args) + row / s.h * in.shape.h * in.shape.w * in.pitch;
      const std::int64_t y = row % s.h;
      const Span rows = p.bins_h > 0 ? bin_span(y, in.shape.h, p.bins_h)
                                     : window_span(y, in.shape.h, p.kh, p.sh, p.dh, p.padding.top,
                                                   p.padding.bottom, p.count_include_pad);
      for (std::int64_t x = 0; x < s.w; ++x) {
        const Span columns = p.bins_h > 0 ? bin_span(x, in.shape.w, p.bins_w)
                                          : window_span(x, in.shape.w, p.kw, p.sw, p.dw, p.padding.left,
                                                        p.padding.right, p.count_include_pad);
        pool_window(p.kind, image, in, rows, columns, output_of(args) + (row * s.w + x) * out.pitch);
      }
    });
  });
}

std::string refuse_windows(const NodeDesc& node) {
  return std::get<Pool2dParams>(node.params).global ? "for windows and bins only" : "";
}

/// Each row to a partial in the workspace, then the rows in order: the same sum for any number of threads.
std::unique_ptr<Kernel> make_global(PoolKind kind, const TensorDesc& in, const TensorDesc& out) {
  const std::size_t workspace =
      static_cast<std::size_t>(in.shape.n * in.shape.h * in.shape.c) * sizeof(float);
  return kernel_of(
      [=](const KernelArgs& args) {
        const Shape& s = in.shape;
        auto* partial = static_cast<float*>(args.workspace);
        parallel_for(s.n * s.h, [&](std::int64_t row) {
          const Span one{row, 1, 1, 1}, all{0, 1, s.w, s.w};
          pool_window(kind, input_of(args), in, one, all, partial + row * s.c);
        });
        for (std::int64_t n = 0; n < s.n; ++n)
          pool_window(kind, partial + n * s.h * s.c, TensorDesc::dense({1, s.h, 1, s.c}), {0, 1, s.h, s.h},
                      {0, 1, 1, 1}, output_of(args) + n * out.pitch);
      },
      workspace);
}

std::unique_ptr<Kernel> prepare_global(const NodeDesc& node, PrepareContext&) {
  return make_global(std::get<Pool2dParams>(node.params).kind, node.inputs[0], node.output);
}

std::string refuse_global(const NodeDesc& node) {
  return std::get<Pool2dParams>(node.params).global ? "" : "for the whole map only";
}

constexpr Implementation kPool[] = {{"window", refuse_windows, prepare_windows},
                                    {"global", refuse_global, prepare_global}};

std::string refuse_channel_mean(const NodeDesc& node) {
  return std::get<ReduceMeanParams>(node.params).over_hw ? "for means over channels only" : "";
}
std::string refuse_spatial_mean(const NodeDesc& node) {
  return std::get<ReduceMeanParams>(node.params).over_hw ? "" : "for means over height and width only";
}
std::unique_ptr<Kernel> prepare_spatial_mean(const NodeDesc& node, PrepareContext&) {
  return make_global(PoolKind::average, node.inputs[0], node.output);
}
std::unique_ptr<Kernel> prepare_channel_mean(const NodeDesc& node, PrepareContext&) {
  return kernel_of([in = node.inputs[0], out = node.output](const KernelArgs& args) {
    parallel_for(out.shape.n * out.shape.h, [&](std::int64_t row) {
      for (std::int64_t x = row * out.shape.w; x < (row + 1) * out.shape.w; ++x) {
        double sum = 0;
        for (std::int64_t c = 0; c < in.shape.c; ++c) sum += input_of(args)[x * in.pitch + c];
        output_of(args)[x * out.pitch] = static_cast<float>(sum / static_cast<double>(in.shape.c));
      }
    });
  });
}
constexpr Implementation kMean[] = {{"global", refuse_spatial_mean, prepare_spatial_mean},
                                    {"direct", refuse_channel_mean, prepare_channel_mean}};

}  // namespace

std::span<const Implementation> cpu_pool2d() { return kPool; }
std::span<const Implementation> cpu_reduce_mean() { return kMean; }

}  // namespace atrous
