// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "backend/backend.h"

namespace atrous {

/// A kernel that is a function of its addresses; `run` holds copies of all it needs of the node.
template <typename Run>
class FunctionKernel : public Kernel {
 public:
  FunctionKernel(Run run, std::size_t workspace) : run_(std::move(run)), workspace_(workspace) {}
  std::size_t workspace_bytes() const override { return workspace_; }
  void run(const KernelArgs& args) const override { run_(args); }

 private:
  Run run_;
  std::size_t workspace_;
};

template <typename Run>
std::unique_ptr<Kernel> kernel_of(Run run, std::size_t workspace = 0) {
  return std::make_unique<FunctionKernel<Run>>(std::move(run), workspace);
}

inline std::string accept_all(const NodeDesc&) { return {}; }

}  // namespace atrous
