// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/winograd_transform.h"

namespace atrous {

/// 3x3 convolution at stride 1 and any rate by Winograd's minimal filtering (winograd_transform.h): a map at
/// rate r is r*r maps whose pixels stand r apart, each convolved at rate 1. Tiles of all of them are
/// transformed, multiplied by the weights as 36 or 25 matrix products, and transformed back. Of the two forms
/// the one that takes less accepts: the smaller where phases are a few pixels wide. An input that is not
/// finite makes all outputs of its tiles so.
std::string refuse_winograd(Winograd winograd, const NodeDesc& node);
std::unique_ptr<Kernel> prepare_winograd(Winograd winograd, const NodeDesc& node, PrepareContext& context);

}  // namespace atrous
