// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ops/schema.h"

namespace atrous {

/// Cost of an operator that reads its inputs and writes its output once, with `flops_each` operations an
/// output element.
Cost elementwise_cost(std::span<const Shape> inputs, const Shape& output, double flops_each);

/// Constants as part of Cost::bytes.
double constant_bytes(std::span<const ConstantSpec> constants);

}  // namespace atrous
