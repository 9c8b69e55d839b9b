// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cctype>

#include "core/text.h"
#include "import/translator.h"

namespace atrous {
namespace {

constexpr std::size_t kLongest = 80;

std::vector<std::string> parts_of(const std::string& path) {
  std::vector<std::string> parts{""};
  for (char c : path) {
    if (c == '/')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  std::erase(parts, "");
  return parts;
}

/// "Conv" or "Conv_12" of an operator Conv.
bool says_operator(const std::string& part, const std::string& op) {
  return part.starts_with(op) && (part.size() == op.size() || part[op.size()] == '_') &&
         part.find_first_not_of("0123456789", std::min(part.size(), op.size() + 1)) == std::string::npos;
}

/// Whether it stands in a module of its own more often than not, whose name then says enough.
bool is_module(const std::string& op) {
  static constexpr std::array<std::string_view, 9> kFunctions = {"Add", "Sub",    "Mul",   "Div", "Concat",
                                                                 "Sum", "Resize", "Slice", "Pad"};
  return std::find(kFunctions.begin(), kFunctions.end(), op) == kFunctions.end();
}

std::string clean(const std::string& text) {
  std::string result;
  for (char c : text) {
    const bool good = std::isalnum(static_cast<unsigned char>(c)) != 0 && static_cast<unsigned char>(c) < 128;
    if (good || (!result.empty() && result.back() != '_')) result += good ? c : '_';
    if (result.size() == kLongest) break;
  }
  while (!result.empty() && result.back() == '_') result.pop_back();
  return result;
}

/// Exporters repeat a module's name before its children: layer1/layer1.0/conv1.
std::string joined(std::vector<std::string> parts, const std::string& op) {
  if (parts.size() > 1 && says_operator(parts.back(), op)) {
    if (is_module(op))
      parts.pop_back();
    else
      parts.back() = lower(parts.back());
  }
  std::string result;
  for (std::size_t i = 0; i < parts.size(); ++i)
    if (i + 1 == parts.size() || !parts[i + 1].starts_with(parts[i] + ".")) result += "_" + parts[i];
  return result;
}

}  // namespace

std::string node_name(const OnnxNode& node, const std::string& weighted) {
  constexpr std::string_view kWeight = ".weight", kNode = "node_";
  const std::string op = lower(clean(node.op));
  std::string name;
  if (node.has_input(1) && node.inputs[1].ends_with(kWeight))
    name = clean(node.inputs[1].substr(0, node.inputs[1].size() - kWeight.size()));
  else if (!weighted.empty() && node.name.find('/') == std::string::npos)
    return weighted + "_" + op;
  if (name.empty()) name = clean(joined(parts_of(node.name), node.op));
  if (name.starts_with(kNode)) name.erase(0, kNode.size());
  if (name.empty() && !node.outputs.empty()) name = clean(node.outputs[0]);
  if (name.empty()) return op.empty() ? "node" : op;
  const bool numbered = name[0] == 'n' && name.find_first_not_of("0123456789", 1) == std::string::npos;
  if (numbered) return op;
  return std::isdigit(static_cast<unsigned char>(name[0])) != 0 ? op + "_" + name : name;
}

}  // namespace atrous
