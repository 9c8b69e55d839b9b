// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/pyramid_branches.h"

#include <algorithm>
#include <array>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/prepare_first.h"
#include "ops/conv2d.h"

namespace atrous {
namespace {

/// Image pooling in the steps that the pass made a branch of. `map` is the pyramid's input, `slice` the
/// branch's channels of its output.
class PooledBranch : public Kernel {
 public:
  PooledBranch(const NodeDesc& branch, const TensorDesc& map, const TensorDesc& slice,
               PrepareContext& context) {
    const std::array maps{map};
    const std::array means{TensorDesc::dense({map.shape.n, 1, 1, map.shape.c}, map.dtype)};
    const std::array pixels{TensorDesc::dense({map.shape.n, 1, 1, slice.shape.c}, map.dtype)};
    const OpParams mean = ReduceMeanParams{}, wide = ResizeParams{};
    mean_ = prepare_first(cuda_reduce_mean(), {branch.name, mean, maps, means[0], {}}, context);
    conv_ = prepare_first(cuda_conv2d(),
                          {branch.name, branch.params, means, pixels[0], branch.constants, branch.allow_tf32},
                          context);
    resize_ = prepare_first(cuda_resize(), {branch.name, wide, pixels, slice, {}}, context);
    pixels_at_ = aligned(means[0].bytes());
    workspace_at_ = pixels_at_ + aligned(pixels[0].bytes());
  }
  std::size_t workspace_bytes() const override {
    return workspace_at_ +
           std::max({mean_->workspace_bytes(), conv_->workspace_bytes(), resize_->workspace_bytes()});
  }
  void run(const KernelArgs& args) const override {
    auto* means = static_cast<std::byte*>(args.workspace);
    std::byte *pixels = means + pixels_at_, *workspace = means + workspace_at_;
    auto step = [&](const Kernel& kernel, const void* in, void* out) {
      kernel.run({{&in, 1}, out, workspace, args.stream});
    };
    step(*mean_, args.inputs[0], means);
    step(*conv_, means, pixels);
    step(*resize_, pixels, args.output);
  }

 private:
  static std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

  std::unique_ptr<Kernel> mean_, conv_, resize_;
  std::size_t pixels_at_, workspace_at_;  ///< bytes into the workspace
};

class Branches : public Kernel {
 public:
  Branches(const NodeDesc& node, PrepareContext& context) {
    const cuda::PyramidProblem problem = pyramid_problem(node);
    std::int64_t channel = 0;
    for (int b = 0; b < static_cast<int>(problem.branches.size()); ++b) {
      const BranchNode branch(node, problem, b);
      const NodeDesc desc = branch.desc();
      TensorDesc slice = desc.output;
      slice.shape = {node.output.shape.n, node.output.shape.h, node.output.shape.w, slice.shape.c};
      branches_.push_back(
          {b == problem.pooled ? std::make_unique<PooledBranch>(desc, node.inputs[0], slice, context)
                               : prepare_first(cuda_conv2d(), desc, context),
           static_cast<std::size_t>(channel) * size_of(node.output.dtype), desc.inputs.size() > 1});
      if (!problem.sum) channel += slice.shape.c;
    }
  }
  std::size_t workspace_bytes() const override {
    std::size_t most = 0;
    for (const Branch& branch : branches_) most = std::max(most, branch.kernel->workspace_bytes());
    return most;
  }
  void run(const KernelArgs& args) const override {
    for (const Branch& branch : branches_) {
      std::byte* output = static_cast<std::byte*>(args.output) + branch.offset;
      const std::array<const void*, 2> inputs{args.inputs[0], output};
      branch.kernel->run(
          {std::span(inputs).first(branch.accumulates ? 2 : 1), output, args.workspace, args.stream});
    }
  }

 private:
  struct Branch {
    std::unique_ptr<Kernel> kernel;
    std::size_t offset;  ///< bytes into the output
    bool accumulates;
  };

  std::vector<Branch> branches_;
};

}  // namespace

cuda::PyramidProblem pyramid_problem(const NodeDesc& node) {
  const auto& p = std::get<PyramidParams>(node.params);
  cuda::PyramidProblem problem{node.inputs[0], node.output, {}, p.sum, p.pooled};
  for (const Conv2dParams& branch : p.branches)
    problem.branches.push_back(resolve_conv2d(branch, node.inputs[0].shape));
  return problem;
}

BranchNode::BranchNode(const NodeDesc& node, const cuda::PyramidProblem& problem, int branch)
    : node_(node),
      name_(fmt::format("{}.{}", node.name, branch)),
      params_(problem.branches[static_cast<std::size_t>(branch)]),
      inputs_{problem.in},
      output_(pyramid_branch(problem, branch).out),
      constants_(node.constants_of(std::to_string(branch))) {
  if (!problem.sum || branch == 0) return;
  std::get<Conv2dParams>(params_).has_residual = true;
  inputs_.push_back(output_);
}

std::unique_ptr<Kernel> prepare_branches(const NodeDesc& node, PrepareContext& context) {
  return std::make_unique<Branches>(node, context);
}

}  // namespace atrous
