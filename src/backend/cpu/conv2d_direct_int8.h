// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backend/cpu/cpu_backend.h"

namespace atrous {

/// Convolution on 8 bits, tap by tap, for what oneDNN has no kernel for.
std::string refuse_direct_int8(const NodeDesc& node);
std::unique_ptr<Kernel> prepare_direct_int8(const NodeDesc& node, PrepareContext& context);

}  // namespace atrous
