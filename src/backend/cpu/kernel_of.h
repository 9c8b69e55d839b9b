// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "backend/cpu/cpu_backend.h"
#include "core/parallel.h"

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

inline const float* input_of(const KernelArgs& args, std::size_t i = 0) {
  return static_cast<const float*>(args.inputs[i]);
}
inline float* output_of(const KernelArgs& args) { return static_cast<float*>(args.output); }

/// One row of `pixels` pixels, `channels` each, between pitches (all in elements).
void copy_pixels(const float* from, std::int64_t from_pitch, float* to, std::int64_t to_pitch,
                 std::int64_t pixels, std::int64_t channels);

/// Same, for all pixels of a tensor, in parallel.
void copy_tensor(const float* from, std::int64_t from_pitch, float* to, std::int64_t to_pitch,
                 const Shape& shape);

}  // namespace atrous
