// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "backend/cpu/kernel_of.h"

namespace atrous {

void copy_pixels(const void* from, std::int64_t from_pitch, void* to, std::int64_t to_pitch,
                 std::int64_t pixels, std::int64_t channels, DType dtype) {
  const auto size = static_cast<std::int64_t>(size_of(dtype));
  const auto* source = static_cast<const std::byte*>(from);
  auto* target = static_cast<std::byte*>(to);
  const bool dense = from_pitch == channels && to_pitch == channels;
  const std::int64_t runs = dense ? 1 : pixels, run = dense ? pixels * channels : channels;
  for (std::int64_t i = 0; i < runs; ++i)
    std::memcpy(target + i * to_pitch * size, source + i * from_pitch * size,
                static_cast<std::size_t>(run * size));
}

void copy_tensor(const void* from, std::int64_t from_pitch, void* to, std::int64_t to_pitch,
                 const Shape& shape, DType dtype) {
  const auto size = static_cast<std::int64_t>(size_of(dtype));
  parallel_for(shape.n * shape.h, [&](std::int64_t row) {
    copy_pixels(static_cast<const std::byte*>(from) + row * shape.w * from_pitch * size, from_pitch,
                static_cast<std::byte*>(to) + row * shape.w * to_pitch * size, to_pitch, shape.w, shape.c,
                dtype);
  });
}

namespace {

std::unique_ptr<Kernel> prepare_copy(const NodeDesc& node, PrepareContext&) {
  return kernel_of(
      [in = node.inputs.empty() ? node.output : node.inputs[0], out = node.output](const KernelArgs& args) {
        copy_tensor(input_of(args), in.pitch, output_of(args), out.pitch, out.shape);
      });
}

constexpr Implementation kCopy[] = {{"copy", accept_all, prepare_copy}};

/// Inputs that already lie in their slice come as null pointers.
std::unique_ptr<Kernel> prepare_concat(const NodeDesc& node, PrepareContext&) {
  return kernel_of([inputs = std::vector<TensorDesc>(node.inputs.begin(), node.inputs.end()),
                    out = node.output](const KernelArgs& args) {
    auto* to = static_cast<std::byte*>(args.output);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (args.inputs[i] != nullptr)
        copy_tensor(args.inputs[i], inputs[i].pitch, to, out.pitch, inputs[i].shape, out.dtype);
      to += static_cast<std::size_t>(inputs[i].shape.c) * size_of(out.dtype);
    }
  });
}

constexpr Implementation kConcat[] = {{"copy", accept_all, prepare_concat}};

std::unique_ptr<Kernel> prepare_slice(const NodeDesc& node, PrepareContext&) {
  const auto& p = std::get<SliceParams>(node.params);
  const std::int64_t h = p.axis == Axis::h ? p.begin : 0, w = p.axis == Axis::w ? p.begin : 0,
                     c = p.axis == Axis::c ? p.begin : 0;
  return kernel_of([=, in = node.inputs[0], out = node.output](const KernelArgs& args) {
    parallel_for(out.shape.n * out.shape.h, [&](std::int64_t row) {
      const std::int64_t n = row / out.shape.h, y = row % out.shape.h + h;
      copy_pixels(input_of(args) + ((n * in.shape.h + y) * in.shape.w + w) * in.pitch + c, in.pitch,
                  output_of(args) + row * out.shape.w * out.pitch, out.pitch, out.shape.w, out.shape.c);
    });
  });
}

constexpr Implementation kSlice[] = {{"copy", accept_all, prepare_slice}};

std::unique_ptr<Kernel> prepare_pad(const NodeDesc& node, PrepareContext&) {
  return kernel_of(
      [p = std::get<PadParams>(node.params), in = node.inputs[0], out = node.output](const KernelArgs& args) {
        parallel_for(out.shape.n * out.shape.h, [&](std::int64_t row) {
          const std::int64_t n = row / out.shape.h, y = row % out.shape.h - p.top;
          float* to = output_of(args) + row * out.shape.w * out.pitch;
          auto fill = [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t x = begin; x < end; ++x)
              for (std::int64_t c = 0; c < out.shape.c; ++c) to[x * out.pitch + c] = p.value;
          };
          if (y < 0 || y >= in.shape.h) return fill(0, out.shape.w);
          fill(0, p.left);
          copy_pixels(input_of(args) + (n * in.shape.h + y) * in.shape.w * in.pitch, in.pitch,
                      to + p.left * out.pitch, out.pitch, in.shape.w, in.shape.c);
          fill(p.left + in.shape.w, out.shape.w);
        });
      });
}

constexpr Implementation kPad[] = {{"copy", accept_all, prepare_pad}};

}  // namespace

std::span<const Implementation> cpu_input() { return kCopy; }
std::span<const Implementation> cpu_identity() { return kCopy; }
std::span<const Implementation> cpu_concat() { return kConcat; }
std::span<const Implementation> cpu_slice() { return kSlice; }
std::span<const Implementation> cpu_pad() { return kPad; }

}  // namespace atrous
