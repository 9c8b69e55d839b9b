// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "kernels/pyramid.h"

namespace atrous {

/// A pyramid node as its kernels see it.
cuda::PyramidProblem pyramid_problem(const NodeDesc& node);

/// A branch as a node by itself; it must stay where it is while desc() is in use. Each branch of a sum but
/// the first adds to what lies in the output.
class BranchNode {
 public:
  BranchNode(const NodeDesc& node, const cuda::PyramidProblem& problem, int branch);
  NodeDesc desc() const { return {name_, params_, inputs_, output_, constants_, node_.allow_tf32}; }

 private:
  const NodeDesc& node_;
  std::string name_;
  OpParams params_;
  std::vector<TensorDesc> inputs_;
  TensorDesc output_;
  std::vector<Constant> constants_;
};

/// Each branch of the pyramid by the first convolution that accepts it, image pooling by a mean, a
/// convolution and a resize; a sum is rounded to its type after each branch.
std::unique_ptr<Kernel> prepare_branches(const NodeDesc& node, PrepareContext& context);

}  // namespace atrous
