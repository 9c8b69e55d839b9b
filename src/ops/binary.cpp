// SPDX-License-Identifier: Apache-2.0
#include "core/error.h"
#include "ops/cost.h"

namespace atrous {
namespace {

constexpr std::string_view kNames[] = {"add", "sub", "mul", "div", "max", "min"};

OpParams parse(std::string_view name, Fields& fields) {
  BinaryParams p;
  for (std::size_t i = 0; i < std::size(kNames); ++i)
    if (name == kNames[i]) p.kind = static_cast<BinaryKind>(i);
  p.has_scalar = fields.has("scalar");
  p.scalar = static_cast<float>(fields.number("scalar", 0));
  if (p.has_scalar && p.kind == BinaryKind::div && p.scalar == 0)
    fields.complain("'scalar' must not be 0 for div");
  return p;
}

std::int64_t broadcast(std::int64_t a, std::int64_t b, std::span<const Shape> inputs) {
  if (a != b && a != 1 && b != 1)
    fail(ErrorCode::bad_config, "shapes {} and {} do not broadcast", to_string(inputs[0]),
         to_string(inputs[1]));
  return a == 1 ? b : a;
}

std::vector<ConstantSpec> constants(const OpParams&, std::span<const Shape>) { return {}; }

Shape infer_shape(const OpParams& params, std::span<const Shape> inputs) {
  const bool unary = std::get<BinaryParams>(params).has_scalar;
  if (unary != (inputs.size() == 1))
    fail(ErrorCode::bad_config, "takes two inputs, or one and the key 'scalar'");
  if (unary) return inputs[0];
  const Shape &a = inputs[0], &b = inputs[1];
  return {broadcast(a.n, b.n, inputs), broadcast(a.h, b.h, inputs), broadcast(a.w, b.w, inputs),
          broadcast(a.c, b.c, inputs)};
}

Cost cost(const OpParams&, std::span<const Shape> inputs, const Shape& output) {
  return elementwise_cost(inputs, output, 1);
}

}  // namespace

const OpSchema& schema_binary() {
  static constexpr OpSchema kSchema{"binary", kNames, 1, 2, parse, constants, infer_shape, cost};
  return kSchema;
}

}  // namespace atrous
