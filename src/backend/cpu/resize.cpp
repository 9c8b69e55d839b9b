// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/blend.h"
#include "backend/cpu/kernel_of.h"
#include "core/resample.h"

namespace atrous {

ATROUS_VECTORISE void blend(const float* a, const float* b, float t, float* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = a[i] + (b[i] - a[i]) * t;
}

namespace {

std::unique_ptr<Kernel> prepare_nearest(const NodeDesc& node, PrepareContext&) {
  const auto& p = std::get<ResizeParams>(node.params);
  const TensorDesc in = node.inputs[0], out = node.output;
  return kernel_of(
      [in, out,
       rows = nearest_samples(in.shape.h, out.shape.h, p.coordinates == ResizeCoordinates::align_corners),
       columns = nearest_samples(in.shape.w, out.shape.w, p.coordinates == ResizeCoordinates::align_corners)](
          const KernelArgs& args) {
        parallel_for(out.shape.n * out.shape.h, [&](std::int64_t row) {
          const std::int64_t from =
              row / out.shape.h * in.shape.h + rows[static_cast<std::size_t>(row % out.shape.h)];
          for (std::int64_t x = 0; x < out.shape.w; ++x)
            copy_pixels(
                input_of(args) + (from * in.shape.w + columns[static_cast<std::size_t>(x)]) * in.pitch,
                in.pitch, output_of(args) + (row * out.shape.w + x) * out.pitch, out.pitch, 1, out.shape.c);
        });
      });
}

/// Rows first (each output row blends two input rows into the workspace), then columns.
std::unique_ptr<Kernel> prepare_bilinear(const NodeDesc& node, PrepareContext&) {
  const bool corners = std::get<ResizeParams>(node.params).coordinates == ResizeCoordinates::align_corners;
  const TensorDesc in = node.inputs[0], out = node.output;
  const std::int64_t blended = in.shape.w * in.shape.c;
  return kernel_of(
      [in, out, blended, rows = linear_samples(in.shape.h, out.shape.h, corners),
       columns = linear_samples(in.shape.w, out.shape.w, corners)](const KernelArgs& args) {
        parallel_for(out.shape.n * out.shape.h, [&](std::int64_t row) {
          const LinearSample y = rows[static_cast<std::size_t>(row % out.shape.h)];
          const float* image = input_of(args) + row / out.shape.h * in.shape.h * in.shape.w * in.pitch;
          float* line = static_cast<float*>(args.workspace) + row * blended;
          for (std::int64_t x = 0; x < in.shape.w; ++x)
            blend(image + (y.low * in.shape.w + x) * in.pitch, image + (y.high * in.shape.w + x) * in.pitch,
                  y.weight, line + x * in.shape.c, in.shape.c);
          for (std::int64_t x = 0; x < out.shape.w; ++x) {
            const LinearSample s = columns[static_cast<std::size_t>(x)];
            blend(line + s.low * in.shape.c, line + s.high * in.shape.c, s.weight,
                  output_of(args) + (row * out.shape.w + x) * out.pitch, out.shape.c);
          }
        });
      },
      static_cast<std::size_t>(out.shape.n * out.shape.h * blended) * sizeof(float));
}

std::string refuse_bilinear(const NodeDesc& node) {
  return std::get<ResizeParams>(node.params).mode == ResizeMode::bilinear ? "" : "for bilinear only";
}
std::string refuse_nearest(const NodeDesc& node) {
  return std::get<ResizeParams>(node.params).mode == ResizeMode::nearest ? "" : "for nearest only";
}
constexpr Implementation kList[] = {{"separable", refuse_bilinear, prepare_bilinear},
                                    {"gather", refuse_nearest, prepare_nearest}};

}  // namespace

std::span<const Implementation> cpu_resize() { return kList; }

}  // namespace atrous
