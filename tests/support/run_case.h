// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/types.h"
#include "ops/params.h"

namespace atrous::test {

/// Where a case's tensors lie: in every way that is tested, or once where vectors can be loaded and once
/// where they cannot.
enum class Layouts { all, two };

/// Sanitizers cost time, and an access out of bounds shows in any layout: in builds with them a case runs in
/// two, and a second time only where that run has more threads.
#ifdef ATROUS_SANITIZED
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

/// An operator on inputs of these shapes, with random values.
struct OpCase {
  std::string name;
  OpParams params;
  std::vector<Shape> inputs;
  float largest_input = 2;  ///< values of the inputs are uniform between its negative and itself
  std::vector<std::vector<float>> given{};  ///< values of the inputs, by input; an empty list: random ones
};

/// Runs the case on backend_under_test(): in every type its activations can have, and for convolutions on the
/// CPU in bf16; with dense tensors and with channel slices of wider ones (some at odd addresses); by every
/// implementation that accepts, and at least one must. Compares with the double-precision reference
/// (tolerance.h). Bytes around the output and behind the workspace must survive; a second run, on the CPU
/// with three threads instead of one, must agree bit by bit. Fails the running test with a message that names
/// the element. With `small_integers` values are small integers and results exact. Skips the running test,
/// saying why, where there is no such device.
void expect_case(const OpCase& test_case, bool small_integers = false,
                 Layouts layouts = kSanitized ? Layouts::two : Layouts::all);

}  // namespace atrous::test
