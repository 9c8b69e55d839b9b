// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/types.h"
#include "ops/params.h"

namespace atrous::cuda {

/// A convolution: its tensors and its parameters as resolve_conv2d() leaves them. `residual` counts only
/// where params.has_residual. All tensors have in.dtype.
struct Conv2dProblem {
  TensorDesc in, out, residual;
  Conv2dParams params;
};

/// Device addresses of one run. `bias` [oc] fp32 and `residual` may be null; the layout of `weight` is the
/// kernel's.
struct Conv2dAddresses {
  const void* in = nullptr;
  const void* weight = nullptr;
  const float* bias = nullptr;
  const void* residual = nullptr;
  void* out = nullptr;
  void* workspace = nullptr;
};

}  // namespace atrous::cuda
