// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backend/cpu/cpu_backend.h"

namespace atrous {

/// oneDNN's convolution on NHWC, fp32, or on 8 bits where the input is. Source or destination slices of a
/// wider tensor go through a dense copy in the workspace: oneDNN's fast kernels take dense NHWC only.
std::string refuse_conv2d_onednn(const NodeDesc& node);
std::unique_ptr<Kernel> prepare_conv2d_onednn(const NodeDesc& node, PrepareContext& context);

}  // namespace atrous
