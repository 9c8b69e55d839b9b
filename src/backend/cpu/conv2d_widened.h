// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backend/cpu/cpu_backend.h"

namespace atrous {

/// A convolution of bf16 activations that turns them to f32, convolves by the first implementation that
/// accepts that, and turns the result back: for those few that nothing better takes.
std::string refuse_widened(const NodeDesc& node);
std::unique_ptr<Kernel> prepare_widened(const NodeDesc& node, PrepareContext& context);

}  // namespace atrous
