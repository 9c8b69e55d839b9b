// SPDX-License-Identifier: Apache-2.0
#include "support/problem.h"

#include <cmath>
#include <cstdlib>
#include <random>

#include "ops/schema.h"
#include "support/elements.h"

namespace atrous::test {
namespace {

unsigned seed() {
  const char* text = std::getenv("ATROUS_TEST_SEED");
  return text != nullptr ? static_cast<unsigned>(std::atoi(text)) : 1U;
}

double round_to(Precision precision, double value) {
  switch (precision) {
    case Precision::f32:
      return rounded(DType::f32, value);
    case Precision::tf32:
      return rounded_to_tf32(value);
    case Precision::f16:
      return rounded(DType::f16, value);
    case Precision::bf16:
      return rounded(DType::bf16, value);
  }
  return value;
}

}  // namespace

Precision precision_of(DType dtype, std::string_view implementation) {
  if (dtype == DType::f16) return Precision::f16;
  if (dtype == DType::bf16) return Precision::bf16;
  return implementation.find("tf32") != std::string_view::npos ? Precision::tf32 : Precision::f32;
}

Problem make_problem(const OpCase& test_case, Precision precision, bool small_integers, bool round_vectors) {
  std::mt19937 generator(seed());
  auto random = [&](float low, float high) {
    const float value = std::uniform_real_distribution<float>(low, high)(generator);
    return static_cast<double>(small_integers ? std::round(value) : value);
  };
  Problem problem;
  for (const Shape& shape : test_case.inputs) {
    RefTensor& input = problem.inputs.emplace_back(RefTensor{shape, {}});
    const std::size_t index = problem.inputs.size() - 1;
    const bool given = index < test_case.given.size() && !test_case.given[index].empty();
    for (std::int64_t i = 0; i < shape.elements(); ++i)
      input.values.push_back(
          round_to(precision, given ? static_cast<double>(test_case.given[index][static_cast<std::size_t>(i)])
                                    : random(-test_case.largest_input, test_case.largest_input)));
  }
  const OpSchema& schema = schema_of(test_case.params);
  std::vector<std::vector<double>> reference_constants;
  for (const ConstantSpec& spec : schema.constants(test_case.params, test_case.inputs)) {
    const bool matrix = spec.dims.size() > 1;
    std::int64_t count = 1;
    for (std::int64_t extent : spec.dims) count *= extent;
    std::vector<double>& values = reference_constants.emplace_back();
    for (std::int64_t i = 0; i < count; ++i) {
      const double value = spec.name == "running_var" ? random(1, 2) : random(spec.non_negative ? 0 : -1, 1);
      values.push_back(matrix || round_vectors ? round_to(precision, value) : value);
    }
    if (matrix)
      problem.terms = std::max(problem.terms, static_cast<double>(count) / static_cast<double>(spec.dims[0]));
    problem.constants.push_back(
        {spec.name, make_tensor_ref(spec.name, spec.dims, {values.begin(), values.end()}), {}});
  }
  problem.expected = reference(test_case.params, problem.inputs, reference_constants,
                               schema.infer_shape(test_case.params, test_case.inputs));
  for (double v : problem.expected.values) problem.largest = std::max(problem.largest, std::abs(v));
  return problem;
}

}  // namespace atrous::test
