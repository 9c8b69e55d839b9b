// SPDX-License-Identifier: Apache-2.0
#include "ops/schema.h"

#include <array>

namespace atrous {
namespace {

using SchemaGetter = const OpSchema& (*)();
constexpr std::array<SchemaGetter, static_cast<std::size_t>(OpKind::count)> kSchemas = {
#define ATROUS_OP(name, Params) schema_##name,
#include "ops/op_list.inc"
#undef ATROUS_OP
};

}  // namespace

const OpSchema& schema_of(OpKind kind) { return kSchemas.at(static_cast<std::size_t>(kind))(); }

const OpSchema* find_schema(std::string_view name) {
  for (SchemaGetter get : kSchemas)
    for (std::string_view config_name : get().config_names)
      if (config_name == name) return &get();
  return nullptr;
}

std::vector<std::string> all_config_names() {
  std::vector<std::string> names;
  for (SchemaGetter get : kSchemas)
    for (std::string_view name : get().config_names) names.emplace_back(name);
  return names;
}

}  // namespace atrous
