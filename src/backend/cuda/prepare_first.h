// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "backend/backend.h"
#include "core/error.h"
#include "ops/schema.h"

namespace atrous {

/// A part of an operator that is made of several, by the first implementation that accepts it. Throws
/// Error{internal} where none does.
inline std::unique_ptr<Kernel> prepare_first(std::span<const Implementation> implementations,
                                             const NodeDesc& node, PrepareContext& context) {
  for (const Implementation& implementation : implementations)
    if (implementation.refuse(node).empty()) return implementation.prepare(node, context);
  fail(ErrorCode::internal, "no implementation of '{}' accepts '{}', a part of an operator",
       schema_of(node.params).name, node.name);
}

}  // namespace atrous
