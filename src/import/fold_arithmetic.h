// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "import/fold.h"

namespace atrous {

/// Elementwise operators and casts of constants; nullopt for another operator. Errors as fold().
std::optional<Array> fold_arithmetic(const OnnxNode& node, const std::vector<const Array*>& inputs,
                                     FoldBudget& budget);
/// Broadcast to `dims`.
Array expanded(const Array& source, const Dims& dims, FoldBudget& budget);
/// Elements of `a` where the condition is not 0, else of `b`; all of the same extents.
Array combined(const Array& condition, const Array& a, const Array& b);

}  // namespace atrous
