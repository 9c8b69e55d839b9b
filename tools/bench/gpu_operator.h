// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "gpu_case.h"
#include "gpu_measure.h"

namespace atrous::bench {

/// A case as the nodes that do it, and where their tensors lie: each set has all buffers once.
struct Recipe {
  struct Tensor {
    TensorDesc desc;
    std::size_t buffer = 0, offset = 0;  ///< offset in bytes
  };
  struct Step {
    OpParams params;
    std::vector<Constant> constants;
    std::vector<std::size_t> inputs;  ///< indices of tensors
    std::size_t output = 0;
  };
  std::vector<std::size_t> buffers;  ///< bytes
  std::vector<Tensor> tensors;
  std::vector<Step> steps;
};

/// The case as one node.
Recipe as_one_node(const OperatorCase& c, DType dtype);
/// A pyramid as one convolution a branch, each writing its slice; branches that are added up pass the sum on
/// as a residual.
Recipe as_branches(const OperatorCase& c, DType dtype);

/// Bytes that must cross the bus of the device's memory: all tensors and weights once.
double least_bytes(const OperatorCase& c, DType dtype);

/// A recipe's kernels and memory on a device. Fails where an implementation refuses.
class PreparedRecipe {
 public:
  PreparedRecipe(const Backend& backend, Stream& stream, const Recipe& recipe,
                 const Implementation& implementation,
                 const std::vector<std::vector<std::unique_ptr<DeviceMemory>>>& sets);
  void enqueue(int set) const;
  std::string detail() const;

 private:
  Stream& stream_;
  WeightCache weights_;
  std::vector<std::unique_ptr<Kernel>> kernels_;
  std::unique_ptr<DeviceMemory> workspace_;
  struct Addresses {
    std::vector<const void*> inputs;
    void* output;
  };
  std::vector<std::vector<Addresses>> sets_;  ///< [set][step]
};

/// Why the implementation does not take every step, or "".
std::string refuse(const Recipe& recipe, const Implementation& implementation);

}  // namespace atrous::bench
