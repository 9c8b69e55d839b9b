// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace atrous {

/// Value of a whole-number expression: numbers, names (an optional $ before them), + - * / % ( ), comparisons
/// (1 or 0), `and`, `or`, `not`. `lookup` gives a name's value, or nullopt. Throws Error{bad_config} without
/// a place.
std::int64_t evaluate(std::string_view expression,
                      const std::function<std::optional<std::int64_t>(std::string_view)>& lookup);

}  // namespace atrous
