// SPDX-License-Identifier: Apache-2.0
// Depthwise separable convolutions on CUDA: both in one launch, or one after the other.
#include "kernels/separable.h"

#include <algorithm>
#include <array>
#include <utility>

#include "backend/cuda/conv2d_weights.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/cudnn_conv2d.h"
#include "backend/cuda/prepare_first.h"
#include "backend/cuda/refuse.h"
#include "backend/function_kernel.h"
#include "ops/conv2d.h"

namespace atrous {
namespace {

/// The two convolutions as nodes, what lies between them dense, f32 as f32; it must stay where it is while
/// they are in use.
class Parts {
 public:
  explicit Parts(const NodeDesc& node)
      : Parts(node, std::get<SeparableParams>(node.params),
              conv_inputs(node, std::get<SeparableParams>(node.params))) {}
  NodeDesc depthwise() const { return {names_[0], params_[0], {&in_, 1}, second_inputs_[0], constants_[0]}; }
  NodeDesc pointwise() const { return {names_[1], params_[1], second_inputs_, out_, constants_[1]}; }

 private:
  static std::vector<TensorDesc> conv_inputs(const NodeDesc& node, const SeparableParams& p) {
    std::vector<TensorDesc> descs(node.inputs.begin(), node.inputs.end());
    const Shape& in = descs[0].shape;
    descs[0] = TensorDesc::dense(schema_conv2d().infer_shape(p.depthwise, {&in, 1}), descs[0].dtype);
    return descs;
  }
  Parts(const NodeDesc& node, const SeparableParams& p, std::vector<TensorDesc> second_inputs)
      : names_{std::string(node.name) + ".depthwise", std::string(node.name) + ".pointwise"},
        params_{resolve_conv2d(p.depthwise, node.inputs[0].shape),
                resolve_conv2d(p.pointwise, second_inputs[0].shape)},
        in_(node.inputs[0]),
        out_(node.output),
        second_inputs_(std::move(second_inputs)),
        constants_{node.constants_of("depthwise"), node.constants_of("pointwise")} {}

  std::array<std::string, 2> names_;
  std::array<OpParams, 2> params_;
  TensorDesc in_, out_;
  std::vector<TensorDesc> second_inputs_;
  std::array<std::vector<Constant>, 2> constants_;
};

class InTurn : public Kernel {
 public:
  using Prepare = std::unique_ptr<Kernel> (*)(const NodeDesc& node, PrepareContext& context);
  InTurn(const NodeDesc& node, PrepareContext& context, Prepare prepare_pointwise) {
    const Parts parts(node);
    depthwise_ = prepare_first(cuda_conv2d(), parts.depthwise(), context);
    pointwise_ = prepare_pointwise(parts.pointwise(), context);
    workspace_at_ = (parts.depthwise().output.bytes() + 63) / 64 * 64;
  }
  std::size_t workspace_bytes() const override {
    return workspace_at_ + std::max(depthwise_->workspace_bytes(), pointwise_->workspace_bytes());
  }
  void run(const KernelArgs& args) const override {
    auto* between = static_cast<std::byte*>(args.workspace);
    std::byte* workspace = between + workspace_at_;
    const std::array<const void*, 2> second{between, args.inputs.back()};
    depthwise_->run({args.inputs.first(1), between, workspace, args.stream});
    pointwise_->run({std::span(second).first(args.inputs.size()), args.output, workspace, args.stream});
  }
  std::string detail() const override { return pointwise_->detail(); }

 private:
  std::unique_ptr<Kernel> depthwise_, pointwise_;
  std::size_t workspace_at_;  ///< bytes into the workspace, behind the depthwise result
};

std::unique_ptr<Kernel> prepare_in_turn(const NodeDesc& node, PrepareContext& context) {
  return std::make_unique<InTurn>(node, context, [](const NodeDesc& part, PrepareContext& c) {
    return prepare_first(cuda_conv2d(), part, c);
  });
}

std::string refuse_in_turn_cudnn(const NodeDesc& node) { return refuse_cudnn(Parts(node).pointwise()); }

std::unique_ptr<Kernel> prepare_in_turn_cudnn(const NodeDesc& node, PrepareContext& context) {
  return std::make_unique<InTurn>(node, context, prepare_cudnn);
}

cuda::SeparableProblem separable_problem(const NodeDesc& node) {
  const Parts parts(node);
  return {node.inputs[0], node.output, node.inputs.back(), std::get<Conv2dParams>(parts.depthwise().params),
          std::get<Conv2dParams>(parts.pointwise().params)};
}

class Fused : public Kernel {
 public:
  Fused(const NodeDesc& node, PrepareContext& context) {
    const cuda::DeviceInfo device = cuda::current_device_info();
    const Parts parts(node);
    plan_ = plan_separable(separable_problem(node), device.multiprocessors, device.shared_memory);
    depthwise_ = tap_major_constants(parts.depthwise(), context);
    pointwise_ = channel_major_constants(parts.pointwise(), context);
  }
  void run(const KernelArgs& args) const override {
    run_separable(plan_,
                  {args.inputs[0], depthwise_.weight->data(), depthwise_.bias_data(),
                   pointwise_.weight->data(), pointwise_.bias_data(), args.inputs.back(), args.output},
                  stream_of(args));
  }
  std::string detail() const override { return plan_.describe(); }

 private:
  cuda::SeparablePlan plan_;
  ConvConstants depthwise_, pointwise_;
};

std::string refuse_fused(const NodeDesc& node) {
  const cuda::DeviceInfo device = cuda::current_device_info();
  return refuse_separable(separable_problem(node), device.major, device.shared_memory);
}

std::unique_ptr<Kernel> prepare_fused(const NodeDesc& node, PrepareContext& context) {
  return std::make_unique<Fused>(node, context);
}

constexpr Implementation kSeparable[] = {{"in_turn", accept_all, prepare_in_turn},
                                         {"in_turn_cudnn", refuse_in_turn_cudnn, prepare_in_turn_cudnn},
                                         {"fused", refuse_by<refuse_f32, refuse_fused>, prepare_fused}};

}  // namespace

std::span<const Implementation> cuda_separable() { return kSeparable; }

}  // namespace atrous
