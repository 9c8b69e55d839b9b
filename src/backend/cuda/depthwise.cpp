// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/depthwise.h"

#include "backend/cuda/cuda_backend.h"
#include "backend/function_kernel.h"
#include "core/convert.h"
#include "kernels/depthwise.h"
#include "ops/conv2d.h"

namespace atrous {
namespace {

Conv2dParams resolved(const NodeDesc& node) {
  return resolve_conv2d(std::get<Conv2dParams>(node.params), node.inputs[0].shape);
}

/// [c, 1, kh, kw] to [kh*kw, c], in `dtype`.
std::unique_ptr<DeviceMemory> upload_taps(const std::vector<float>& weight, std::size_t channels,
                                          DType dtype) {
  const std::size_t taps = weight.size() / channels;
  std::vector<float> packed(weight.size());
  for (std::size_t c = 0; c < channels; ++c)
    for (std::size_t t = 0; t < taps; ++t) packed[t * channels + c] = weight[c * taps + t];
  std::vector<std::byte> converted(packed.size() * size_of(dtype));
  from_f32(packed.data(), static_cast<std::int64_t>(packed.size()), dtype, converted.data());
  return upload_to_device(converted.data(), converted.size());
}

}  // namespace

std::string refuse_depthwise(const NodeDesc& node) {
  return cuda::refuse_depthwise(resolved(node), node.inputs[0], node.output);
}

std::unique_ptr<Kernel> prepare_depthwise(const NodeDesc& node, PrepareContext& context) {
  const Conv2dParams p = resolved(node);
  const DType dtype = node.output.dtype;
  const std::string name(node.name);
  const auto weight =
      context.weights.get_or_make(name + "|depthwise|" + std::string(to_string(dtype)), [&]() {
        return upload_taps(node.constant("weight")->read_f32(), static_cast<std::size_t>(p.oc), dtype);
      });
  std::shared_ptr<DeviceMemory> bias;
  if (const Constant* constant = node.constant("bias"))
    bias = context.weights.get_or_make(name + "|bias", [&] {
      const std::vector<float> values = constant->read_f32();
      return upload_to_device(values.data(), values.size() * sizeof(float));
    });
  return kernel_of([p, weight, bias, in = node.inputs[0], residual = node.inputs.back(),
                    out = node.output](const KernelArgs& args) {
    cuda::depthwise(
        p, in, residual, out,
        {args.inputs[0], weight->data(), bias ? reinterpret_cast<const float*>(bias->data()) : nullptr,
         p.has_residual ? args.inputs.back() : nullptr, args.output},
        stream_of(args));
  });
}

}  // namespace atrous
