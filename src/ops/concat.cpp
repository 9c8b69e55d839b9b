// SPDX-License-Identifier: Apache-2.0
#include "core/error.h"
#include "ops/cost.h"

namespace atrous {
namespace {

constexpr std::string_view kNames[] = {"concat"};

OpParams parse(std::string_view, Fields&) { return ConcatParams{}; }

std::vector<ConstantSpec> constants(const OpParams&, std::span<const Shape>) { return {}; }

Shape infer_shape(const OpParams&, std::span<const Shape> inputs) {
  Shape out = inputs[0];
  out.c = 0;
  for (const Shape& in : inputs) {
    if (in.n != out.n || in.h != out.h || in.w != out.w)
      fail(ErrorCode::bad_config, "inputs {} and {} differ in more than channels", to_string(inputs[0]),
           to_string(in));
    out.c += in.c;
  }
  return out;
}

Cost cost(const OpParams&, std::span<const Shape> inputs, const Shape& output) {
  return elementwise_cost(inputs, output, 0);
}

}  // namespace

const OpSchema& schema_concat() {
  static constexpr OpSchema kSchema{"concat", kNames, 1, -1, parse, constants, infer_shape, cost};
  return kSchema;
}

}  // namespace atrous
