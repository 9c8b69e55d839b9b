// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"

namespace atrous {

/// The entries "cudnn" (f32 as f32, f16, bf16) and "cudnn_tf32" (f32 rounded to tf32, where the node allows
/// it) of the convolution's list: cuDNN's fastest algorithm for the problem, by trying all it offers once a
/// process. They refuse where a build or machine has no cuDNN, and what cuDNN does not take as one call: an
/// activation other than ReLU, uneven padding, pixels that do not begin at multiples of 16 bytes. A bias is
/// rounded to the activations' type.
std::string refuse_cudnn(const NodeDesc& node);
std::string refuse_cudnn_tf32(const NodeDesc& node);
std::unique_ptr<Kernel> prepare_cudnn(const NodeDesc& node, PrepareContext& context);
std::unique_ptr<Kernel> prepare_cudnn_tf32(const NodeDesc& node, PrepareContext& context);

/// Version of the cuDNN in use, "9.19.0"; "" where there is none.
std::string cudnn_version();

}  // namespace atrous
