// SPDX-License-Identifier: Apache-2.0
#include "kernels/channels.h"

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/refuse.h"
#include "backend/function_kernel.h"

namespace atrous {
namespace {

using Launcher = void (*)(const TensorDesc& in, const void* from, const TensorDesc& out, void* to,
                          cuda::StreamHandle stream);

template <Launcher start>
std::unique_ptr<Kernel> prepare(const NodeDesc& node, PrepareContext&) {
  return kernel_of([in = node.inputs[0], out = node.output](const KernelArgs& args) {
    start(in, args.inputs[0], out, args.output, stream_of(args));
  });
}
constexpr Implementation kSoftmax[] = {{"direct", refuse_large_tensors, prepare<cuda::softmax>}};
constexpr Implementation kArgmax[] = {{"direct", refuse_large_tensors, prepare<cuda::argmax>}};

std::unique_ptr<Kernel> prepare_lrn(const NodeDesc& node, PrepareContext&) {
  return kernel_of(
      [p = std::get<LrnParams>(node.params), in = node.inputs[0], out = node.output](const KernelArgs& args) {
        cuda::lrn(p, in, args.inputs[0], out, args.output, stream_of(args));
      });
}
constexpr Implementation kLrn[] = {{"direct", refuse_large_tensors, prepare_lrn}};

}  // namespace

std::span<const Implementation> cuda_softmax() { return kSoftmax; }
std::span<const Implementation> cuda_argmax() { return kArgmax; }
std::span<const Implementation> cuda_lrn() { return kLrn; }

}  // namespace atrous
