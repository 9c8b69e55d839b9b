// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "backend/cuda/runtime.h"
#include "core/types.h"
#include "ops/params.h"

namespace atrous::cuda {

/// Addresses of a depthwise convolution, on the device.
struct DepthwiseArgs {
  const void* input;
  const void* weight;    ///< [kh*kw, c], in the type of the activations, 16-byte aligned
  const float* bias;     ///< [c], 16-byte aligned; nullptr for none
  const void* residual;  ///< laid out as `residual` of depthwise(); nullptr for none
  void* output;
};

/// Why depthwise() does not take it, or "": `p` is resolved (explicit padding, groups and oc filled in).
std::string refuse_depthwise(const Conv2dParams& p, const TensorDesc& in, const TensorDesc& out);

/// out = activation(bias + one kh x kw filter a channel over `in` + residual); f32, f16 or bf16, accumulated
/// in f32.
void depthwise(const Conv2dParams& p, const TensorDesc& in, const TensorDesc& residual, const TensorDesc& out,
               const DepthwiseArgs& args, StreamHandle stream);

}  // namespace atrous::cuda
