// SPDX-License-Identifier: Apache-2.0
#include "config/yaml.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>

#include "core/error.h"

namespace atrous {
namespace {

constexpr std::uintmax_t kMostBytes = 4U << 20U;
constexpr int kMostDepth = 48;
constexpr std::size_t kMostValues = 200'000;

class Converter {
 public:
  explicit Converter(const std::string& name) : file_(std::make_shared<const std::string>(name)) {}

  Value convert(const YAML::Node& node, int depth = 0) {
    Value value;
    value.where = {file_, node.Mark().is_null() ? 0 : node.Mark().line + 1};
    if (depth > kMostDepth) complain(value, fmt::format("nested deeper than {} levels", kMostDepth));
    if (++values_ > kMostValues)
      complain(value, fmt::format("more than {} values once its aliases are expanded", kMostValues));
    if (node.IsScalar()) {
      value.kind = Value::Kind::scalar;
      value.scalar = node.Scalar();
    } else if (node.IsSequence()) {
      value.kind = Value::Kind::list;
      for (const YAML::Node& item : node) value.items.push_back(convert(item, depth + 1));
    } else if (node.IsMap()) {
      value.kind = Value::Kind::map;
      std::set<std::string> keys;
      for (const auto& field : node) {
        if (!field.first.IsScalar()) complain(value, "a key must be a plain word");
        const std::string& key = field.first.Scalar();
        if (!keys.insert(key).second) complain(value, "key '" + key + "' stands twice");
        value.fields.emplace_back(key, convert(field.second, depth + 1));
      }
    }
    return value;
  }

 private:
  [[noreturn]] static void complain(const Value& value, const std::string& reason) {
    fail(ErrorCode::bad_config, "{}: {}", to_string(value.where), reason);
  }

  std::shared_ptr<const std::string> file_;
  std::size_t values_ = 0;
};

/// yaml-cpp parses recursively, so nesting is limited before it sees the text: brackets in flow style, in
/// block style the dashes of a line ("- - - x"). What nests by indentation alone, kMostBytes limits.
void check_nesting(const std::string& text, const std::string& name) {
  int depth = 0, line = 1, dashes = 0;
  bool line_start = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') ++line, line_start = true, dashes = 0;
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') depth = std::max(0, depth - 1);
    if (line_start && (c == '-' || c == '?' || c == ':')) ++dashes;
    if (c != ' ' && c != '-' && c != '?' && c != ':' && c != '\n') line_start = false;
    if (depth > kMostDepth || dashes > kMostDepth)
      fail(ErrorCode::bad_config, "{}:{}: nested deeper than {} levels", name, line, kMostDepth);
  }
}

}  // namespace

Value parse_yaml(const std::string& text, const std::string& name) {
  check_nesting(text, name);
  try {
    return Converter(name).convert(YAML::Load(text));
  } catch (const YAML::Exception& error) {
    fail(ErrorCode::bad_config, "{}:{}: not valid YAML: {}", name,
         error.mark.is_null() ? 1 : error.mark.line + 1, error.msg);
  }
}

Value load_yaml(const std::filesystem::path& file) {
  std::error_code status;
  const std::uintmax_t bytes = std::filesystem::file_size(file, status);
  if (status) fail(ErrorCode::not_found, "{}: {}", file.string(), status.message());
  if (bytes > kMostBytes)
    fail(ErrorCode::bad_config, "{}: {} bytes are too many for a config", file.string(), bytes);
  std::ifstream stream(file, std::ios::binary);
  if (!stream) fail(ErrorCode::io, "{}: cannot be read", file.string());
  return parse_yaml({std::istreambuf_iterator<char>(stream), {}}, file.string());
}

}  // namespace atrous
