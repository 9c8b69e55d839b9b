// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"

namespace atrous {

/// The entry "depthwise" of the convolution's list: one filter a channel, any size, rate, stride and padding.
std::string refuse_depthwise(const NodeDesc& node);
std::unique_ptr<Kernel> prepare_depthwise(const NodeDesc& node, PrepareContext& context);

}  // namespace atrous
