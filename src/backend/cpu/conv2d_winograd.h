// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/winograd_transform.h"

namespace atrous {

/// 3x3 convolution at stride 1 and any rate by Winograd's minimal filtering (winograd_transform.h): the map's
/// tiles (winograd_tiles.h) are transformed, multiplied by the transformed weights as 9 to 36 matrix
/// products, and transformed back. Of the forms the one that takes least accepts: smaller tiles where phases
/// are a few pixels wide. An input that is not finite makes all outputs of its tiles so.
inline constexpr Winograd kWinogradForms[] = {{4}, {3}, {3, true}, {2, true}};
std::string refuse_winograd(Winograd winograd, const NodeDesc& node);
std::unique_ptr<Kernel> prepare_winograd(Winograd winograd, const NodeDesc& node, PrepareContext& context);

}  // namespace atrous
