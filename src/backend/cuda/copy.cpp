// SPDX-License-Identifier: Apache-2.0
// Operators that only move values.
#include "kernels/copy.h"

#include <algorithm>
#include <numeric>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/refuse.h"
#include "backend/function_kernel.h"

namespace atrous {
namespace {

/// Channels [begin, begin + count) of a tensor, and how many bytes after its first element they start.
struct ChannelSlice {
  ChannelSlice(const TensorDesc& whole, std::int64_t begin, std::int64_t count)
      : desc(whole), offset(static_cast<std::size_t>(begin) * size_of(whole.dtype)) {
    desc.shape.c = count;
    desc.base_alignment = std::gcd(whole.base_alignment, offset);
  }
  const std::byte* in(const void* base) const { return static_cast<const std::byte*>(base) + offset; }
  std::byte* in(void* base) const { return static_cast<std::byte*>(base) + offset; }

  TensorDesc desc;
  std::size_t offset;
};

std::unique_ptr<Kernel> prepare_identity(const NodeDesc& node, PrepareContext&) {
  return kernel_of([in = node.inputs[0], out = node.output](const KernelArgs& args) {
    cuda::copy_shifted(in, args.inputs[0], out, args.output, 0, 0, 0, stream_of(args));
  });
}
constexpr Implementation kIdentity[] = {{"copy", refuse_large_tensors, prepare_identity}};

/// Inputs that already lie in their slice come as null pointers.
std::unique_ptr<Kernel> prepare_concat(const NodeDesc& node, PrepareContext&) {
  std::vector<ChannelSlice> slices;
  std::int64_t channel = 0;
  for (const TensorDesc& in : node.inputs) {
    slices.emplace_back(node.output, channel, in.shape.c);
    channel += in.shape.c;
  }
  return kernel_of([inputs = std::vector<TensorDesc>(node.inputs.begin(), node.inputs.end()),
                    slices = std::move(slices)](const KernelArgs& args) {
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (args.inputs[i] != nullptr)
        cuda::copy_shifted(inputs[i], args.inputs[i], slices[i].desc, slices[i].in(args.output), 0, 0, 0,
                           stream_of(args));
  });
}
constexpr Implementation kConcat[] = {{"copy", refuse_large_tensors, prepare_concat}};

std::unique_ptr<Kernel> prepare_slice(const NodeDesc& node, PrepareContext&) {
  const auto& p = std::get<SliceParams>(node.params);
  const int top = p.axis == Axis::h ? -p.begin : 0, left = p.axis == Axis::w ? -p.begin : 0;
  const ChannelSlice slice(node.inputs[0], p.axis == Axis::c ? p.begin : 0, node.output.shape.c);
  return kernel_of([=, out = node.output](const KernelArgs& args) {
    cuda::copy_shifted(slice.desc, slice.in(args.inputs[0]), out, args.output, top, left, 0, stream_of(args));
  });
}
constexpr Implementation kSlice[] = {{"copy", refuse_large_tensors, prepare_slice}};

std::unique_ptr<Kernel> prepare_pad(const NodeDesc& node, PrepareContext&) {
  return kernel_of(
      [p = std::get<PadParams>(node.params), in = node.inputs[0], out = node.output](const KernelArgs& args) {
        cuda::copy_shifted(in, args.inputs[0], out, args.output, p.top, p.left, p.value, stream_of(args));
      });
}
constexpr Implementation kPad[] = {{"copy", refuse_large_tensors, prepare_pad}};

}  // namespace

/// The stream writes it; no step of a plan.
std::span<const Implementation> cuda_input() { return {}; }
std::span<const Implementation> cuda_identity() { return kIdentity; }
/// None: no network on CUDA has 8 bits.
std::span<const Implementation> cuda_convert() { return {}; }
std::span<const Implementation> cuda_concat() { return kConcat; }
std::span<const Implementation> cuda_slice() { return kSlice; }
std::span<const Implementation> cuda_pad() { return kPad; }

}  // namespace atrous
