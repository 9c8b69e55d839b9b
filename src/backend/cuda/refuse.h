// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <limits>
#include <string>

#include "backend/backend.h"
#include "backend/cuda/runtime.h"

namespace atrous {

/// Why kernels that number elements in 32 bits do not take the node, or "".
inline std::string refuse_large_tensors(const NodeDesc& node) {
  auto large = [](const TensorDesc& d) {
    return d.shape.pixels() * d.pitch > std::numeric_limits<std::int32_t>::max();
  };
  return large(node.output) || std::any_of(node.inputs.begin(), node.inputs.end(), large)
             ? "a tensor has 2^31 elements or more"
             : "";
}

/// Why kernels for half-precision activations do not take the node, or "".
inline std::string refuse_f32(const NodeDesc& node) {
  return node.inputs[0].dtype == DType::f32 ? "for f16 and bf16 activations only" : "";
}

/// Why kernels that round f32 to tf32 do not take the node, or "".
inline std::string refuse_all_but_tf32(const NodeDesc& node) {
  if (node.inputs[0].dtype != DType::f32) return "for f32 activations only";
  if (!node.allow_tf32) return "f32 means f32: rounding to tf32 was not allowed";
  return cuda::current_device_info().major < 8 ? "the device has no tf32" : "";
}

/// The first reason that one of several gives, or "".
template <auto... refusals>
std::string refuse_by(const NodeDesc& node) {
  std::string why;
  static_cast<void>(((why = refusals(node)).empty() && ...));
  return why;
}

}  // namespace atrous
