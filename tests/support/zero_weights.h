// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/tensor_ref.h"

namespace atrous::test {

/// Weights that are all 0 and share memory: for tests that look at a network's structure alone.
class ZeroWeights : public WeightSource {
 public:
  std::optional<TensorRef> find(std::string_view name, const std::vector<std::int64_t>& dims) const override {
    TensorRef tensor{std::string(name), dims, DType::f32, {}};
    const auto count = static_cast<std::size_t>(tensor.elements());
    if (zeros_.elements() < tensor.elements())
      zeros_ = make_tensor_ref("zeros", {tensor.elements()}, std::vector<float>(count));
    tensor.data = zeros_.data;
    return tensor;
  }
  std::string describe() const override { return "zero weights"; }

 private:
  mutable TensorRef zeros_ = make_tensor_ref("zeros", {0}, {});
};

}  // namespace atrous::test
