// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/types.h"
#include "ops/params.h"

namespace atrous::test {

/// An operator on inputs of these shapes, with random values.
struct OpCase {
  std::string name;
  OpParams params;
  std::vector<Shape> inputs;
  double tolerance =
      2e-5;  ///< relative to the largest reference value, for one term; grows with the root of the terms
};

/// Runs every CPU implementation that accepts the case, with dense tensors and with channel slices of wider
/// ones, on one and on three threads, and compares with the double-precision reference. Guard values around
/// output and workspace must survive, the numbers of threads must agree bit by bit. Fails the running test
/// with a message that names the element.
void expect_case(const OpCase& test_case, bool small_integers = false);

}  // namespace atrous::test
