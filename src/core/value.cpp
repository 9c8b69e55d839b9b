// SPDX-License-Identifier: Apache-2.0
#include "core/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/error.h"

namespace atrous {

std::string to_string(const SourceLocation& where) {
  if (!where.file) return {};
  return where.line > 0 ? fmt::format("{}:{}", *where.file, where.line) : *where.file;
}

Value::Value() = default;
Value::Value(const Value&) = default;
Value::Value(Value&&) noexcept = default;
Value& Value::operator=(const Value&) = default;
Value& Value::operator=(Value&&) noexcept = default;
Value::~Value() = default;

Value Value::text(std::string scalar) {
  Value value;
  value.kind = Kind::scalar;
  value.scalar = std::move(scalar);
  return value;
}

Value Value::map(std::vector<std::pair<std::string, Value>> fields) {
  Value value;
  value.kind = Kind::map;
  value.fields = std::move(fields);
  return value;
}

Value Value::list(std::vector<Value> items) {
  Value value;
  value.kind = Kind::list;
  value.items = std::move(items);
  return value;
}

const Value* Value::find(std::string_view key) const {
  for (const auto& [name, value] : fields)
    if (name == key) return &value;
  return nullptr;
}

Fields::Fields(const Value& map, std::string what) : map_(map), what_(std::move(what)) {
  if (map.kind != Value::Kind::map) complain("must be a map of keys to values");
}

const Value* Fields::find(std::string_view key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
  return map_.find(key);
}

const Value& Fields::require(std::string_view key) {
  if (const Value* value = find(key)) return *value;
  complain(fmt::format("'{}' is missing", key));
}

namespace {

/// One scalar of `fields`, converted by `parse`; `kind` names what was expected.
template <typename Parse>
auto convert(const Fields& fields, std::string_view key, const Value& value, Parse parse,
             std::string_view kind) {
  if (value.kind == Value::Kind::scalar)
    if (auto parsed = parse(value.scalar)) return *parsed;
  std::string given = value.kind == Value::Kind::scalar ? fmt::format("'{}'", value.scalar)
                      : value.kind == Value::Kind::null ? "nothing"
                      : value.kind == Value::Kind::list ? "a list"
                                                        : "a map";
  fields.complain(fmt::format("'{}' must be {}, not {}", key, kind, given), &value);
}

std::optional<std::string> parse_text(std::string_view text) { return std::string(text); }

template <typename Parse>
auto convert_list(Fields& fields, std::string_view key, Parse parse, std::string_view kind) {
  std::vector<std::decay_t<decltype(*parse(""))>> result;
  const Value* value = fields.find(key);
  if (value == nullptr) return result;
  if (value->kind != Value::Kind::list) {
    result.push_back(convert(fields, key, *value, parse, kind));
    return result;
  }
  for (const Value& item : value->items) result.push_back(convert(fields, key, item, parse, kind));
  return result;
}

}  // namespace

std::int64_t Fields::integer(std::string_view key, std::optional<std::int64_t> fallback) {
  if (fallback && !find(key)) return *fallback;
  return convert(*this, key, require(key), parse_integer, "a whole number");
}

std::int64_t Fields::integer_in(std::string_view key, std::int64_t low, std::int64_t high,
                                std::optional<std::int64_t> fallback) {
  std::int64_t value = integer(key, fallback);
  if (value < low || value > high)
    complain(fmt::format("'{}' is {} but must lie between {} and {}", key, value, low, high), find(key));
  return value;
}

double Fields::number(std::string_view key, std::optional<double> fallback) {
  if (fallback && !find(key)) return *fallback;
  return convert(*this, key, require(key), parse_number, "a number");
}

bool Fields::boolean(std::string_view key, std::optional<bool> fallback) {
  if (fallback && !find(key)) return *fallback;
  return convert(*this, key, require(key), parse_boolean, "true or false");
}

std::string Fields::text(std::string_view key, std::optional<std::string> fallback) {
  if (fallback && !find(key)) return *fallback;
  return convert(*this, key, require(key), parse_text, "a word");
}

std::vector<std::int64_t> Fields::integers(std::string_view key) {
  return convert_list(*this, key, parse_integer, "a whole number or a list of them");
}
std::vector<double> Fields::numbers(std::string_view key) {
  return convert_list(*this, key, parse_number, "a number or a list of them");
}
std::vector<std::string> Fields::texts(std::string_view key) {
  return convert_list(*this, key, parse_text, "a word or a list of them");
}

void Fields::finish() const {
  for (const auto& [key, value] : map_.fields) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    complain(fmt::format("unknown key '{}'{}", key, did_you_mean(key, known_)), &value);
  }
}

void Fields::complain(const std::string& message, const Value* at) const {
  std::string place = to_string(at != nullptr && at->where.file ? at->where : map_.where);
  std::string prefix = place.empty() ? "" : place + ": ";
  throw Error(ErrorCode::bad_config, prefix + (what_.empty() ? "" : what_ + ": ") + message);
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || status != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> parse_number(std::string_view text) {
  if (auto slash = text.find('/');
      slash != std::string_view::npos && text.find('/', slash + 1) == text.npos) {
    auto top = parse_number(text.substr(0, slash)), bottom = parse_number(text.substr(slash + 1));
    if (!top || !bottom || *bottom == 0 || !std::isfinite(*top / *bottom)) return std::nullopt;
    return *top / *bottom;
  }
  double value = 0;
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || status != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

std::optional<bool> parse_boolean(std::string_view text) {
  for (std::string_view word : {"true", "yes", "on", "1"})
    if (text == word) return true;
  for (std::string_view word : {"false", "no", "off", "0"})
    if (text == word) return false;
  return std::nullopt;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  constexpr std::size_t kLongest = 256;  // what follows takes as long as the product of two lengths
  std::string best;
  std::size_t best_distance = word.size() / 2 + 1;
  for (const std::string& candidate : candidates) {
    if (word.size() > kLongest || candidate.size() > kLongest) continue;
    std::vector<std::size_t> row(candidate.size() + 1);
    for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= word.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i;
      for (std::size_t j = 1; j < row.size(); ++j) {
        std::size_t substitute = diagonal + (word[i - 1] == candidate[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best.empty() ? "" : " (did you mean '" + best + "'?)";
}

}  // namespace atrous
