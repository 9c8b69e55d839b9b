// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "core/tensor_ref.h"
#include "support/reference.h"
#include "support/run_case.h"

namespace atrous::test {

/// What the values of a problem are rounded to before the reference sees them, so that it and the
/// implementation start from the same numbers. tf32: implementations in f32 whose name says that they
/// multiply in tf32.
enum class Precision { f32, tf32, f16, bf16 };
Precision precision_of(DType dtype, std::string_view implementation);

/// A case with values: what goes in and what must come out.
struct Problem {
  std::vector<RefTensor> inputs;
  std::vector<Constant> constants;  ///< weights rounded; biases and other vectors stay f32
  RefTensor expected;
  double terms = 1;    ///< of the longest sum an output element is
  double largest = 0;  ///< magnitude in `expected`
};

/// The same values for the same case, precision and ATROUS_TEST_SEED (default 1).
/// With `round_vectors` biases and other vectors are rounded too.
Problem make_problem(const OpCase& test_case, Precision precision, bool small_integers,
                     bool round_vectors = false);

/// True for implementations that take a bias in the activations' type.
inline bool rounds_vectors(std::string_view implementation) {
  return implementation.find("cudnn") != std::string_view::npos;
}

}  // namespace atrous::test
