// SPDX-License-Identifier: Apache-2.0
#include "config/expression.h"

#include <array>
#include <cctype>

#include "core/checked.h"
#include "core/error.h"
#include "core/value.h"

namespace atrous {
namespace {

using Lookup = std::function<std::optional<std::int64_t>(std::string_view)>;

/// Precedence climbing over the text; one level of binary operators a row of kLevels.
class Evaluator {
 public:
  Evaluator(std::string_view text, const Lookup& lookup) : text_(text), rest_(text), lookup_(lookup) {}

  std::int64_t whole() {
    const std::int64_t value = binary(0);
    skip_space();
    if (!rest_.empty()) complain(fmt::format("'{}' is left over", rest_));
    return value;
  }

 private:
  static constexpr std::array<std::array<std::string_view, 6>, 5> kLevels = {
      {{"or"}, {"and"}, {"==", "!=", "<=", ">=", "<", ">"}, {"+", "-"}, {"*", "/", "%"}}};
  static constexpr int kMostDepth = 64;

  [[noreturn]] void complain(const std::string& reason) const {
    fail(ErrorCode::bad_config, "expression '{}': {}", text_.substr(0, 200), reason);
  }

  void skip_space() {
    while (!rest_.empty() && std::isspace(static_cast<unsigned char>(rest_.front())) != 0)
      rest_.remove_prefix(1);
  }

  static bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

  bool take(std::string_view token) {
    skip_space();
    if (token.empty() || !rest_.starts_with(token)) return false;
    if (is_word(token.front()) && rest_.size() > token.size() && is_word(rest_[token.size()])) return false;
    rest_.remove_prefix(token.size());
    return true;
  }

  std::int64_t binary(std::size_t level) {
    if (level == kLevels.size()) return unary();
    std::int64_t value = binary(level + 1);
    while (true) {
      std::string_view taken;
      for (std::string_view token : kLevels[level])
        if (take(token)) {
          taken = token;
          break;
        }
      if (taken.empty()) return value;
      value = apply(taken, value, binary(level + 1));
    }
  }

  std::int64_t apply(std::string_view op, std::int64_t a, std::int64_t b) const {
    if (op == "or") return (a != 0 || b != 0) ? 1 : 0;
    if (op == "and") return (a != 0 && b != 0) ? 1 : 0;
    if (op == "==") return a == b ? 1 : 0;
    if (op == "!=") return a != b ? 1 : 0;
    if (op == "<=") return a <= b ? 1 : 0;
    if (op == ">=") return a >= b ? 1 : 0;
    if (op == "<") return a < b ? 1 : 0;
    if (op == ">") return a > b ? 1 : 0;
    if ((op == "/" || op == "%") && b == 0) complain("division by zero");
    std::optional<std::int64_t> result;
    if (op == "+") result = checked_add(a, b);
    if (op == "-") result = checked_mul(b, -1) ? checked_add(a, -b) : std::nullopt;
    if (op == "*") result = checked_mul(a, b);
    if (op == "/") result = b == -1 ? checked_mul(a, -1) : std::optional(a / b);
    if (op == "%") result = b == -1 ? 0 : a % b;
    if (!result) complain("the result is too large");
    return *result;
  }

  std::int64_t unary() {
    if (++depth_ > kMostDepth) complain("nested too deeply");
    const std::int64_t value = primary();
    --depth_;
    return value;
  }

  std::int64_t primary() {
    if (take("not")) return unary() == 0 ? 1 : 0;
    if (take("-")) return apply("-", 0, unary());
    if (take("(")) {
      const std::int64_t value = binary(0);
      if (!take(")")) complain("')' is missing");
      return value;
    }
    take("$");
    std::size_t length = 0;
    while (length < rest_.size() && is_word(rest_[length])) ++length;
    const std::string_view word = rest_.substr(0, length);
    rest_.remove_prefix(length);
    if (word.empty()) complain("a number or a name is missing");
    if (const auto number = parse_integer(word)) return *number;
    if (const auto value = lookup_(word)) return *value;
    complain(fmt::format("'{}' is no parameter with a whole-number value", word));
  }

  std::string_view text_, rest_;
  const Lookup& lookup_;
  int depth_ = 0;
};

}  // namespace

std::int64_t evaluate(std::string_view expression, const Lookup& lookup) {
  return Evaluator(expression, lookup).whole();
}

}  // namespace atrous
