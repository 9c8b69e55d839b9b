// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/types.h"
#include "ops/params.h"

namespace atrous::test {

/// A dense NHWC tensor in double precision.
struct RefTensor {
  Shape shape;
  std::vector<double> values;

  double at(std::int64_t n, std::int64_t y, std::int64_t x, std::int64_t c) const {
    return values[static_cast<std::size_t>(((n * shape.h + y) * shape.w + x) * shape.c + c)];
  }
};

/// What an operator must compute, written from its definition (ops/params.h) and independent of the
/// implementations: plain loops over output elements. `constants` are in the order of the schema. `output` is
/// the expected shape.
RefTensor reference(const OpParams& params, std::span<const RefTensor> inputs,
                    const std::vector<std::vector<double>>& constants, const Shape& output);

}  // namespace atrous::test
