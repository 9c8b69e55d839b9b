// SPDX-License-Identifier: Apache-2.0
// Convolutions and dense layers on CUDA: from a node to the kernels' problems, and the ordered lists.
#include <array>
#include <utility>

#include "backend/cuda/conv2d_node.h"
#include "backend/cuda/conv2d_weights.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/cudnn_conv2d.h"
#include "backend/cuda/depthwise.h"
#include "backend/cuda/refuse.h"
#include "backend/function_kernel.h"
#include "kernels/conv2d_direct.h"
#include "kernels/conv2d_implicit_gemm.h"
#include "ops/conv2d.h"

namespace atrous {
namespace {

using cuda::Conv2dAddresses;
using cuda::GemmMath;

Conv2dAddresses addresses(const ConvConstants& constants, const KernelArgs& args) {
  return {args.inputs[0], constants.weight->data(), constants.bias_data(), args.inputs.back(), args.output,
          args.workspace};
}

class ImplicitGemm : public Kernel {
 public:
  ImplicitGemm(cuda::ImplicitGemmPlan plan, ConvConstants constants)
      : plan_(std::move(plan)), constants_(std::move(constants)) {}
  std::size_t workspace_bytes() const override { return plan_.workspace_bytes(); }
  void run(const KernelArgs& args) const override {
    run_conv2d_implicit_gemm(plan_, addresses(constants_, args), stream_of(args));
  }
  std::string detail() const override { return plan_.describe(); }

 private:
  cuda::ImplicitGemmPlan plan_;
  ConvConstants constants_;
};

template <GemmMath math>
std::string refuse_gemm(const NodeDesc& node) {
  return refuse_conv2d_implicit_gemm(conv2d_problem(node), math, cuda::current_device_info().major);
}

template <GemmMath math>
std::unique_ptr<Kernel> prepare_gemm(const NodeDesc& node, PrepareContext& context) {
  return std::make_unique<ImplicitGemm>(
      plan_implicit_gemm(conv2d_problem(node), math, cuda::current_device_info().multiprocessors),
      channel_major_constants(node, context));
}

std::unique_ptr<Kernel> prepare_direct(const NodeDesc& node, PrepareContext& context) {
  return kernel_of([problem = conv2d_problem(node),
                    constants = tap_major_constants(node, context)](const KernelArgs& args) {
    run_conv2d_direct(problem, addresses(constants, args), stream_of(args));
  });
}

constexpr Implementation kConv[] = {
    {"depthwise", refuse_depthwise, prepare_depthwise},
    {"implicit_gemm", refuse_by<refuse_f32, refuse_gemm<GemmMath::tensor_core>>,
     prepare_gemm<GemmMath::tensor_core>},
    {"implicit_gemm_wgmma", refuse_gemm<GemmMath::warpgroup>, prepare_gemm<GemmMath::warpgroup>},
    {"implicit_gemm_tf32", refuse_by<refuse_all_but_tf32, refuse_gemm<GemmMath::tensor_core>>,
     prepare_gemm<GemmMath::tensor_core>},
    {"implicit_gemm_fp32", refuse_gemm<GemmMath::fma>, prepare_gemm<GemmMath::fma>},
    {"cudnn", refuse_cudnn, prepare_cudnn},
    {"cudnn_tf32", refuse_cudnn_tf32, prepare_cudnn_tf32},
    {"direct", accept_all, prepare_direct}};

/// Calls f with the node as a convolution.
template <typename F>
auto as_conv(const NodeDesc& node, const F& f) {
  const OpParams params = as_conv2d(std::get<FullyConnectedParams>(node.params), node.inputs[0].shape);
  NodeDesc conv{node.name, params, node.inputs, node.output, node.constants, node.allow_tf32};
  return f(conv);
}

template <std::size_t entry>
constexpr Implementation kDense = {
    kConv[entry].name, [](const NodeDesc& node) { return as_conv(node, kConv[entry].refuse); },
    [](const NodeDesc& node, PrepareContext& context) {
      return as_conv(node, [&](const NodeDesc& conv) { return kConv[entry].prepare(conv, context); });
    }};

template <std::size_t... entries>
constexpr auto dense_list(std::index_sequence<entries...>) {
  return std::array{kDense<entries>...};
}
constexpr auto kFullyConnected = dense_list(std::make_index_sequence<std::size(kConv)>{});

}  // namespace

std::span<const Implementation> cuda_conv2d() { return kConv; }
std::span<const Implementation> cuda_fully_connected() { return kFullyConnected; }

}  // namespace atrous
