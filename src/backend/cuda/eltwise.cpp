// SPDX-License-Identifier: Apache-2.0
#include "kernels/eltwise.h"

#include <fmt/format.h>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/refuse.h"
#include "backend/function_kernel.h"
#include "ops/batch_norm.h"

namespace atrous {
namespace {

std::unique_ptr<Kernel> prepare_activation(const NodeDesc& node, PrepareContext&) {
  return kernel_of([p = std::get<ActivationParams>(node.params), in = node.inputs[0],
                    out = node.output](const KernelArgs& args) {
    cuda::activation(p, in, args.inputs[0], out, args.output, stream_of(args));
  });
}
constexpr Implementation kActivation[] = {{"direct", refuse_large_tensors, prepare_activation}};

std::unique_ptr<Kernel> prepare_batch_norm(const NodeDesc& node, PrepareContext& context) {
  std::shared_ptr<DeviceMemory> folded =
      context.weights.get_or_make(fmt::format("{}|scale_shift", node.name), [&] {
        const ChannelAffine affine = affine_of(std::get<BatchNormParams>(node.params), node.constants);
        std::vector<float> values(affine.scale.begin(), affine.scale.end());
        values.insert(values.end(), affine.shift.begin(), affine.shift.end());
        return upload_to_device(values.data(), values.size() * sizeof(float));
      });
  return kernel_of([folded, in = node.inputs[0], out = node.output](const KernelArgs& args) {
    const auto* scale = reinterpret_cast<const float*>(folded->data());
    cuda::scale_shift(in, args.inputs[0], scale, scale + in.shape.c, out, args.output, stream_of(args));
  });
}
constexpr Implementation kBatchNorm[] = {{"direct", refuse_large_tensors, prepare_batch_norm}};

std::unique_ptr<Kernel> prepare_binary(const NodeDesc& node, PrepareContext&) {
  return kernel_of([p = std::get<BinaryParams>(node.params), a = node.inputs.front(), b = node.inputs.back(),
                    out = node.output](const KernelArgs& args) {
    cuda::binary(p, a, args.inputs.front(), b, args.inputs.back(), out, args.output, stream_of(args));
  });
}
constexpr Implementation kBinary[] = {{"direct", refuse_large_tensors, prepare_binary}};

}  // namespace

std::span<const Implementation> cuda_activation() { return kActivation; }
std::span<const Implementation> cuda_batch_norm() { return kBatchNorm; }
std::span<const Implementation> cuda_binary() { return kBinary; }

}  // namespace atrous
