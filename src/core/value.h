// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace atrous {

/// Where in a file something was written; line counts from 1, 0 where it was made by a program.
struct SourceLocation {
  std::shared_ptr<const std::string> file;
  int line = 0;
};

std::string to_string(
    const SourceLocation& where);  ///< "configs/x.yaml:88", or "" for a value made by a program

/// A document tree independent of the file format (configs come from YAML through config/yaml.h; tests build
/// theirs directly). Scalars keep their text; Fields converts and checks them.
struct Value {
  enum class Kind : std::uint8_t { null, scalar, list, map };

  // Implicit ones would ask whether a pair with a Value can be made while that is being found out; clang
  // minds.
  Value();
  Value(const Value&);
  Value(Value&&) noexcept;
  Value& operator=(const Value&);
  Value& operator=(Value&&) noexcept;
  ~Value();

  Kind kind = Kind::null;
  std::string scalar;
  std::vector<Value> items;                           ///< of a list
  std::vector<std::pair<std::string, Value>> fields;  ///< of a map, in the order of the file
  SourceLocation where;

  static Value text(std::string scalar);
  static Value map(std::vector<std::pair<std::string, Value>> fields);
  static Value list(std::vector<Value> items);

  const Value* find(std::string_view key) const;  ///< nullptr where this is no map or has no such key
};

/// Typed, checked access to a map. Every getter throws Error{bad_config} "file:line: WHAT: ..." when a value
/// is missing (and has no default) or does not convert; finish() throws when the map has a key nobody asked
/// for.
class Fields {
 public:
  /// `what` names the map in messages, e.g. "node 'aspp_r12'". `map` must outlive this object.
  Fields(const Value& map, std::string what);

  bool has(std::string_view key) const { return map_.find(key) != nullptr; }
  const Value* find(std::string_view key);  ///< marks the key as known
  const Value& require(std::string_view key);

  std::int64_t integer(std::string_view key, std::optional<std::int64_t> fallback = {});
  std::int64_t integer_in(std::string_view key, std::int64_t low, std::int64_t high,
                          std::optional<std::int64_t> fallback = {});
  double number(std::string_view key, std::optional<double> fallback = {});
  bool boolean(std::string_view key, std::optional<bool> fallback = {});
  std::string text(std::string_view key, std::optional<std::string> fallback = {});
  /// A list of integers; a lone scalar counts as a list of one. Empty where the key is absent.
  std::vector<std::int64_t> integers(std::string_view key);
  std::vector<double> numbers(std::string_view key);
  std::vector<std::string> texts(std::string_view key);

  void finish() const;

  /// Throws Error{bad_config} that names this map's place; `at` (may be null) gives a more exact line.
  [[noreturn]] void complain(const std::string& message, const Value* at = nullptr) const;
  const std::string& what() const { return what_; }

 private:
  const Value& map_;
  std::string what_;
  std::vector<std::string> known_;
};

std::optional<std::int64_t> parse_integer(std::string_view text);  ///< whole text, decimal
std::optional<double> parse_number(std::string_view text);         ///< whole text, finite; "1/255" counts
std::optional<bool> parse_boolean(std::string_view text);          ///< true false yes no on off, and 1 0

/// " (did you mean 'NEAREST'?)" with the candidate nearest to `word` in edit distance, for the end of a
/// message; "" where none is near or `word` is no word that anybody would type.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace atrous
