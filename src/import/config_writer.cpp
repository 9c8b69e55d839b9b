// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cctype>

#include "config/safetensors.h"
#include "core/files.h"
#include "core/text.h"
#include "import/onnx_import.h"

namespace atrous {
namespace {

constexpr std::size_t kWidth = 120;

/// Whether YAML reads the text as it stands, in a flow map too.
bool is_plain(const std::string& text) {
  auto good = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("_./+-").find(c) != std::string_view::npos;
  };
  return !text.empty() && lower(text) != "null" && text[0] != '-' &&
         std::all_of(text.begin(), text.end(), good);
}

bool is_number(const std::string& text) { return parse_number(text).has_value(); }

std::string scalar(const std::string& text) {
  if (is_plain(text) || is_number(text)) return text;
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return quoted + "\"";
}

/// A value on one line: {a: 1, b: [2, 3]}.
std::string flow(const Value& value) {
  std::string text;
  switch (value.kind) {
    case Value::Kind::null:
      return "~";
    case Value::Kind::scalar:
      return scalar(value.scalar);
    case Value::Kind::list:
      for (const Value& item : value.items) text += (text.empty() ? "" : ", ") + flow(item);
      return "[" + text + "]";
    case Value::Kind::map:
      for (const auto& [key, field] : value.fields)
        text += (text.empty() ? "" : ", ") + scalar(key) + ": " + flow(field);
      return "{" + text + "}";
  }
  return text;
}

/// Broken behind commas; inside brackets YAML reads a line's end as a space.
std::string wrapped(const std::string& line, std::size_t indent) {
  std::string result;
  std::size_t begin = 0, room = kWidth;
  while (line.size() - begin > room) {
    const std::size_t comma = line.rfind(", ", begin + room - 2);
    if (comma == std::string::npos || comma < begin) break;
    result += line.substr(begin, comma + 1 - begin) + "\n" + std::string(indent, ' ');
    begin = comma + 2, room = kWidth - indent;
  }
  return result + line.substr(begin) + "\n";
}

}  // namespace

std::string config_text(const Value& config) {
  std::string text;
  for (const auto& [key, value] : config.fields) {
    if (key != "network") {
      text += wrapped(key + ": " + flow(value), 2);
      continue;
    }
    text += "network:\n";
    for (const Value& node : value.items) text += wrapped("  - " + flow(node), 5);
  }
  return text;
}

std::filesystem::path write_model(const ImportedModel& model, const std::filesystem::path& folder) {
  const std::filesystem::path config = folder / (model.name + ".yaml");
  const std::string text = config_text(model.config);
  // The config gets its name before the weights do, but only once these lie complete beside it.
  replace_file(folder / (model.name + ".safetensors"), [&](const std::filesystem::path& temporary) {
    write_safetensors(temporary, model.weights.tensors());
    write_file(config, std::as_bytes(std::span(text)));
  });
  return config;
}

}  // namespace atrous
