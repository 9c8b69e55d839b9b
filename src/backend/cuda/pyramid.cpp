// SPDX-License-Identifier: Apache-2.0
// Pyramids on CUDA: all branches in one launch, or each by itself.
#include "kernels/pyramid.h"

#include <algorithm>
#include <functional>

#include "backend/cuda/conv2d_weights.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/pyramid_branches.h"
#include "backend/cuda/refuse.h"
#include "backend/function_kernel.h"
#include "core/error.h"
#include "kernels/conv2d_direct.h"

namespace atrous {
namespace {

using cuda::GemmMath;
using cuda::PyramidProblem;

/// The biases of all branches added up; null where none has one.
std::shared_ptr<DeviceMemory> summed_bias(const NodeDesc& node, PrepareContext& context) {
  std::vector<float> sum;
  for (const Constant& constant : node.constants) {
    if (!constant.name.ends_with(".bias")) continue;
    const std::vector<float> bias = constant.read_f32();
    sum.resize(bias.size());
    std::transform(sum.begin(), sum.end(), bias.begin(), sum.begin(), std::plus<>());
  }
  if (sum.empty()) return nullptr;
  return context.weights.get_or_make(fmt::format("{}|summed_bias", node.name), [&] {
    return upload_to_device(sum.data(), sum.size() * sizeof(float));
  });
}

class OneLaunch : public Kernel {
 public:
  OneLaunch(const NodeDesc& node, PrepareContext& context, GemmMath math)
      : plan_(plan_pyramid(pyramid_problem(node), math, cuda::current_device_info().multiprocessors)),
        items_(upload_to_device(plan_.items.data(), plan_.items.size() * sizeof plan_.items[0])) {
    for (int b = 0; b < static_cast<int>(plan_.problem.branches.size()); ++b)
      constants_.push_back(channel_major_constants(BranchNode(node, plan_.problem, b).desc(), context));
    if (plan_.problem.sum) constants_[0].bias = summed_bias(node, context);
    for (const ConvConstants& c : constants_) addresses_.push_back({c.weight->data(), c.bias_data()});
  }
  std::size_t workspace_bytes() const override { return plan_.workspace_bytes(); }
  void run(const KernelArgs& args) const override {
    run_pyramid(plan_, args.inputs[0], addresses_, reinterpret_cast<const cuda::PyramidItem*>(items_->data()),
                args.output, args.workspace, stream_of(args));
  }
  std::string detail() const override { return plan_.describe(); }

 private:
  cuda::PyramidPlan plan_;
  std::unique_ptr<DeviceMemory> items_;
  std::vector<ConvConstants> constants_;
  std::vector<cuda::PyramidBranchAddresses> addresses_;
};

template <GemmMath math>
std::string refuse_one_launch(const NodeDesc& node) {
  return refuse_pyramid(pyramid_problem(node), math, cuda::current_device_info().major);
}

template <GemmMath math>
std::unique_ptr<Kernel> prepare_one_launch(const NodeDesc& node, PrepareContext& context) {
  return std::make_unique<OneLaunch>(node, context, math);
}

template <bool allow_tf32>
std::unique_ptr<Kernel> prepare_one_by_one(const NodeDesc& node, PrepareContext& context) {
  NodeDesc desc = node;
  desc.allow_tf32 = allow_tf32;
  return prepare_branches(desc, context);
}

std::string refuse_direct(const NodeDesc& node) {
  return std::get<PyramidParams>(node.params).sum ? "" : "for sums only";
}

std::unique_ptr<Kernel> prepare_direct_sum(const NodeDesc& node, PrepareContext& context) {
  const PyramidProblem problem = pyramid_problem(node);
  std::vector<cuda::Conv2dProblem> convs;
  std::vector<ConvConstants> constants;
  for (int b = 0; b < static_cast<int>(problem.branches.size()); ++b) {
    convs.push_back(pyramid_branch(problem, b));
    constants.push_back(tap_major_constants(BranchNode(node, problem, b).desc(), context));
  }
  std::vector<const void*> weights;
  for (const ConvConstants& c : constants) weights.push_back(c.weight->data());
  constants[0].bias = summed_bias(node, context);
  const std::size_t workspace = cuda::direct_sum_bytes(convs[0], static_cast<int>(convs.size()));
  return kernel_of(
      [convs, constants, weights](const KernelArgs& args) {
        run_conv2d_direct_sum(
            convs, weights,
            {args.inputs[0], nullptr, constants[0].bias_data(), nullptr, args.output, args.workspace},
            stream_of(args));
      },
      workspace);
}

constexpr Implementation kPyramid[] = {
    {"one_launch", refuse_by<refuse_f32, refuse_one_launch<GemmMath::tensor_core>>,
     prepare_one_launch<GemmMath::tensor_core>},
    {"one_launch_wgmma", refuse_one_launch<GemmMath::warpgroup>, prepare_one_launch<GemmMath::warpgroup>},
    {"one_launch_tf32", refuse_by<refuse_all_but_tf32, refuse_one_launch<GemmMath::tensor_core>>,
     prepare_one_launch<GemmMath::tensor_core>},
    {"one_launch_fp32", refuse_one_launch<GemmMath::fma>, prepare_one_launch<GemmMath::fma>},
    {"one_by_one_tf32", refuse_all_but_tf32, prepare_one_by_one<true>},
    {"one_by_one", accept_all, prepare_one_by_one<false>},
    {"direct", refuse_direct, prepare_direct_sum}};

}  // namespace

std::span<const Implementation> cuda_pyramid() { return kPyramid; }

}  // namespace atrous
