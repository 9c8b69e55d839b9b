// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/types.h"
#include "core/value.h"
#include "ops/params.h"

namespace atrous {

/// A weight an operator needs: looked up as "<node path>.<name>" in the model's safetensors file.
struct ConstantSpec {
  std::string name;                ///< "weight", "bias", "running_mean", ...
  std::vector<std::int64_t> dims;  ///< the shape it must have
  bool non_negative = false;       ///< a value below 0 is an error
};

struct Cost {
  double flops = 0;  ///< one multiply-add counts 2
  double bytes = 0;  ///< activations read and written plus constants, in fp32
};

/// The device-free half of an operator: parse -> constants -> infer_shape -> cost. All functions are pure and
/// throw Error{bad_config} without a place; the caller (graph builder, plan) adds file, line and node.
struct OpSchema {
  std::string_view name;
  std::span<const std::string_view> config_names;  ///< the `op:` values that select it ("relu", "relu6", ...)
  int min_inputs = 1, max_inputs = 1;              ///< max -1: any number
  OpParams (*parse)(std::string_view config_name, Fields& fields);
  std::vector<ConstantSpec> (*constants)(const OpParams& params, std::span<const Shape> inputs);
  Shape (*infer_shape)(const OpParams& params, std::span<const Shape> inputs);
  Cost (*cost)(const OpParams& params, std::span<const Shape> inputs, const Shape& output);
};

const OpSchema& schema_of(OpKind kind);
inline const OpSchema& schema_of(const OpParams& params) { return schema_of(kind_of(params)); }
/// The schema whose config_names hold `name`; nullptr where there is none.
const OpSchema* find_schema(std::string_view name);
std::vector<std::string> all_config_names();

#define ATROUS_OP(name, Params) const OpSchema& schema_##name();
#include "ops/op_list.inc"
#undef ATROUS_OP

}  // namespace atrous
