// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/cudnn_conv2d.h"

#include <cstdint>
#include <vector>

#include "backend/cuda/conv2d_node.h"
#include "backend/cuda/conv2d_weights.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/cudnn_choice.h"
#include "backend/cuda/refuse.h"
#include "backend/cuda/stream.h"
#include "core/convert.h"
#include "core/error.h"

namespace atrous {
namespace {

using cuda::Conv2dProblem;
using cudnn::Math;

constexpr std::size_t kWorkspaceAlignment = 256;  ///< as device memory has it

bool begins_pixels_at_16_bytes(const TensorDesc& tensor) {
  return tensor.base_alignment % 16 == 0 &&
         (tensor.is_dense() || static_cast<std::size_t>(tensor.pitch) * size_of(tensor.dtype) % 16 == 0);
}

/// What cuDNN need not be asked.
std::string refuse_problem(const NodeDesc& node, const Conv2dParams& p) {
  if (p.activation.kind != ActivationKind::none && p.activation.kind != ActivationKind::relu)
    return "its only activation is ReLU";
  if (p.padding.top != p.padding.bottom || p.padding.left != p.padding.right) return "for even padding only";
  for (const TensorDesc& input : node.inputs)
    if (!begins_pixels_at_16_bytes(input)) return "an input is not aligned to 16 bytes";
  if (!begins_pixels_at_16_bytes(node.output)) return "the output is not aligned to 16 bytes";
  return refuse_large_tensors(node);
}

std::string refuse(const NodeDesc& node, Math math) {
  if (!cudnn::library().why_none.empty()) return cudnn::library().why_none;
  const Conv2dProblem problem = conv2d_problem(node);
  if (std::string reason = refuse_problem(node, problem.params); !reason.empty()) return reason;
  try {
    return cudnn::choose(node, problem, math).refusal;
  } catch (const Error& error) {
    return error.message();
  }
}

/// The handle that works on this stream and on no other, so that no two threads use it at once. The first
/// run, which is never recorded, makes it.
cudnnHandle_t handle_on(CudaStream& stream) {
  std::shared_ptr<void>& companion = stream.companion();
  if (!companion) {
    auto handle = std::make_shared<cudnn::Handle>();
    cudnn::check(cudnn::library().cudnnSetStream(*handle, stream.handle()), "choosing a stream");
    companion = std::move(handle);
  }
  return *static_cast<const cudnn::Handle*>(companion.get());
}

/// [oc] in the activations' type; zeros where the node has none.
std::shared_ptr<DeviceMemory> typed_bias(const NodeDesc& node, PrepareContext& context, int oc) {
  const DType dtype = node.inputs[0].dtype;
  return context.weights.get_or_make(fmt::format("{}|bias|{}", node.name, to_string(dtype)), [&] {
    const Constant* bias = node.constant("bias");
    const std::vector<float> values =
        bias != nullptr ? bias->read_f32() : std::vector<float>(static_cast<std::size_t>(oc));
    std::vector<std::byte> typed(values.size() * size_of(dtype));
    from_f32(values.data(), oc, dtype, typed.data());
    return upload_to_device(typed.data(), typed.size());
  });
}

class CudnnKernel : public Kernel {
 public:
  CudnnKernel(const Conv2dProblem& problem, const cudnn::Algorithm& algorithm, ConvConstants constants,
              std::shared_ptr<DeviceMemory> bias)
      : convolution_(problem), constants_(std::move(constants)), bias_(std::move(bias)) {
    convolution_.use(algorithm);
  }
  std::size_t workspace_bytes() const override {
    const std::size_t bytes = convolution_.algorithm().workspace;
    return bytes > 0 ? bytes + kWorkspaceAlignment : 0;
  }
  void run(const KernelArgs& args) const override {
    const auto address = reinterpret_cast<std::uintptr_t>(args.workspace);
    const std::size_t gap = (kWorkspaceAlignment - address % kWorkspaceAlignment) % kWorkspaceAlignment;
    void* workspace = workspace_bytes() > 0 ? static_cast<std::byte*>(args.workspace) + gap : nullptr;
    cudnn::check(convolution_.enqueue(handle_on(*static_cast<CudaStream*>(args.stream)),
                                      {args.inputs[0], constants_.weight->data(), nullptr, args.inputs.back(),
                                       args.output, workspace},
                                      bias_->data()),
                 "a convolution");
  }
  std::string detail() const override { return describe(convolution_.algorithm()); }

 private:
  cudnn::Convolution convolution_;
  ConvConstants constants_;
  std::shared_ptr<DeviceMemory> bias_;
};

std::unique_ptr<Kernel> prepare(const NodeDesc& node, PrepareContext& context, Math math) {
  const Conv2dProblem problem = conv2d_problem(node);
  return std::make_unique<CudnnKernel>(problem, cudnn::choose(node, problem, math).algorithm,
                                       dense_constants(node, context),
                                       typed_bias(node, context, problem.params.oc));
}

}  // namespace

std::string refuse_cudnn(const NodeDesc& node) { return refuse(node, Math::exact); }

std::string refuse_cudnn_tf32(const NodeDesc& node) {
  if (std::string why = refuse_all_but_tf32(node); !why.empty()) return why;
  return refuse(node, Math::tf32);
}

std::unique_ptr<Kernel> prepare_cudnn(const NodeDesc& node, PrepareContext& context) {
  return prepare(node, context, Math::exact);
}

std::unique_ptr<Kernel> prepare_cudnn_tf32(const NodeDesc& node, PrepareContext& context) {
  return prepare(node, context, Math::tf32);
}

std::string cudnn_version() { return cudnn::library().version; }

}  // namespace atrous
