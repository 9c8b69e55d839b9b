// SPDX-License-Identifier: Apache-2.0
#include "config/modules.h"

#include <algorithm>

#include "config/expression.h"
#include "core/error.h"

namespace atrous {
namespace {

constexpr std::size_t kMostNodes = 50'000;
constexpr std::size_t kMostNested = 32;
constexpr std::size_t kMostReplaced = 10'000;  ///< values that parameters stand for in one place
constexpr std::int64_t kMostRepeats = 4096;

[[noreturn]] void complain(const Value& at, const std::string& reason) {
  const std::string place = to_string(at.where);
  fail(ErrorCode::bad_config, "{}{}{}", place, place.empty() ? "" : ": ", reason);
}

using Parameters = std::map<std::string, Value, std::less<>>;

std::size_t count_values(const Value& value) {
  std::size_t count = 1;
  for (const Value& item : value.items) count += count_values(item);
  for (const auto& [key, field] : value.fields) count += count_values(field);
  return count;
}

/// `room`: how many values may still be put in.
Value substitute(const Value& value, const Parameters& parameters, std::size_t& room) {
  Value result = value;
  for (Value& item : result.items) item = substitute(item, parameters, room);
  for (auto& [key, field] : result.fields) field = substitute(field, parameters, room);
  if (value.kind != Value::Kind::scalar || value.scalar.size() < 2 || value.scalar[0] != '$') return result;
  if (value.scalar.starts_with("${") && value.scalar.ends_with("}")) {
    const auto lookup = [&](std::string_view name) -> std::optional<std::int64_t> {
      const auto found = parameters.find(name);
      if (found == parameters.end()) return std::nullopt;
      if (const auto flag = parse_boolean(found->second.scalar)) return *flag ? 1 : 0;
      return parse_integer(found->second.scalar);
    };
    try {
      result.scalar = std::to_string(evaluate(value.scalar.substr(2, value.scalar.size() - 3), lookup));
    } catch (const Error& error) {
      complain(value, error.message());
    }
    return result;
  }
  const auto found = parameters.find(std::string_view(value.scalar).substr(1));
  if (found == parameters.end()) {
    std::vector<std::string> names;
    for (const auto& [name, unused] : parameters) names.push_back(name);
    complain(value, "there is no parameter '" + value.scalar.substr(1, 100) + "'" +
                        did_you_mean(value.scalar.substr(1), names));
  }
  const std::size_t count = count_values(found->second);
  if (count > room)
    complain(value, fmt::format("its parameters stand for more than {} values", kMostReplaced));
  room -= count;
  result = found->second;
  result.where = value.where;
  return result;
}

/// $name and ${expression} in a value, replaced.
Value substitute(const Value& value, const Parameters& parameters) {
  std::size_t room = kMostReplaced;
  return substitute(value, parameters, room);
}

/// One list of nodes being expanded: what its names mean.
struct Scope {
  std::string prefix;   ///< "" or "backbone.layer1."
  std::string weights;  ///< the same for the names of weights; differs where a node says `weights`
  Parameters parameters;
  std::map<std::string, std::string, std::less<>> inputs;  ///< name inside -> full path of the value
};

class Expander {
 public:
  explicit Expander(const BlockLibrary& library) : library_(library) {}

  std::string expand_list(const Value& nodes, const std::string& output, const Scope& scope) {
    if (nodes.kind != Value::Kind::list || nodes.items.empty()) complain(nodes, "must be a list of nodes");
    std::string previous = scope.inputs.at("input");
    for (const Value& node : nodes.items) previous = expand_node(node, previous, scope);
    return output.empty() ? previous : resolve(Value::text(output), nodes, scope);
  }

  /// The networks of a model, each as if it were a block's use, in the scope of the model.
  void expand_networks(const Value& networks, const Scope& model) {
    if (networks.kind != Value::Kind::map) complain(networks, "'networks' must map names to networks");
    for (const auto& [name, definition] : networks.fields) {
      check_name(name, definition, model);
      const bool is_list = definition.kind != Value::Kind::map;
      const Value alone = is_list ? Value::map({{"nodes", definition}}) : definition;
      Fields fields(alone, "network '" + name + "'");
      const Value* input = fields.find("input");
      const Value& nodes = fields.require("nodes");
      const std::string output = fields.text("output", "");
      fields.finish();
      Scope scope{name + ".", name + ".", model.parameters, {{"input", model.inputs.at("input")}}};
      if (input != nullptr)
        scope.inputs["input"] = resolve(substitute(*input, model.parameters), definition, model);
      define(name, expand_list(nodes, output, scope), definition);
    }
  }

  std::vector<NodeSpec> take() { return std::move(result_); }

 private:
  /// A node, block or unit and what makes its value. The limit is of those left out by `when`, too.
  void define(const std::string& path, const std::string& value, const Value& at) {
    if (values_.size() >= kMostNodes)
      complain(at, fmt::format("the network has more than {} nodes", kMostNodes));
    values_[path] = value;
  }

  void check_name(const std::string& name, const Value& at, const Scope& scope) const {
    if (name.empty() || name.find('.') != std::string::npos || scope.inputs.contains(name))
      complain(at,
               "'" + name +
                   "' cannot be the name of a node or network (it is empty, holds a dot or names an input)");
    if (values_.contains(scope.prefix + name))
      complain(at, "node '" + scope.prefix + name + "' is defined twice");
  }

  std::string resolve(const Value& name, const Value& at, const Scope& scope) const {
    if (const auto input = scope.inputs.find(name.scalar); input != scope.inputs.end()) return input->second;
    if (const auto value = values_.find(scope.prefix + name.scalar); value != values_.end())
      return value->second;
    std::vector<std::string> names;
    for (const auto& [path, unused] : values_)
      if (path.starts_with(scope.prefix)) names.push_back(path.substr(scope.prefix.size()));
    complain(name.where.file ? name : at,
             "there is no node '" + name.scalar + "' before this place" + did_you_mean(name.scalar, names));
  }

  std::vector<std::string> inputs_of(const Value& node, const std::string& previous,
                                     const Scope& scope) const {
    const Value* one = node.find("input");
    const Value* many = node.find("inputs");
    if (one != nullptr && many != nullptr) complain(node, "has both 'input' and 'inputs'");
    if (one != nullptr) return {resolve(substitute(*one, scope.parameters), node, scope)};
    if (many == nullptr) return {previous};
    if (many->kind != Value::Kind::list || many->items.empty())
      complain(*many, "'inputs' must be a list of nodes");
    std::vector<std::string> inputs;
    for (const Value& name : many->items)
      inputs.push_back(resolve(substitute(name, scope.parameters), node, scope));
    return inputs;
  }

  std::string expand_node(const Value& node, const std::string& previous, const Scope& scope) {
    if (node.kind != Value::Kind::map) complain(node, "a node must be a map with 'name' and 'op' or 'block'");
    const Value* name = node.find("name");
    if (name == nullptr || name->kind != Value::Kind::scalar || name->scalar.empty())
      complain(node, "a node needs a 'name'");
    check_name(name->scalar, *name, scope);
    const std::string path = scope.prefix + name->scalar;
    const std::vector<std::string> inputs = inputs_of(node, previous, scope);
    std::string output = inputs.front();
    if (is_wanted(node, scope))
      output = node.find("repeat") != nullptr
                   ? expand_repeat(node, path, inputs, scope)
                   : expand_one(node, path, weights_of(node, scope), inputs, scope);
    define(path, output, node);
    return output;
  }

  /// Prefix of the tensors of a node or block: as it says, else its name within the list's.
  static std::string weights_of(const Value& node, const Scope& scope) {
    const Value* given = node.find("weights");
    return given != nullptr ? substitute(*given, scope.parameters).scalar
                            : scope.weights + node.find("name")->scalar;
  }

  static bool is_wanted(const Value& node, const Scope& scope) {
    const Value* when = node.find("when");
    if (when == nullptr) return true;
    Value condition = *when;
    if (!condition.scalar.starts_with("$")) condition.scalar = "${" + condition.scalar + "}";
    const Value result = substitute(condition, scope.parameters);
    if (const auto wanted = parse_integer(result.scalar)) return *wanted != 0;
    if (const auto wanted = parse_boolean(result.scalar)) return *wanted;
    complain(*when, "'when' must be true or false, not '" + result.scalar + "'");
  }

  /// name.0, name.1, ... one after the other; `first` changes the first, `each` gives every one its own
  /// value, $i counts.
  std::string expand_repeat(const Value& node, const std::string& path, std::vector<std::string> inputs,
                            const Scope& scope) {
    const Value count_value = substitute(*node.find("repeat"), scope.parameters);
    const auto count = parse_integer(count_value.scalar);
    if (!count || *count < 1 || *count > kMostRepeats)
      complain(count_value, fmt::format("'repeat' must be a whole number from 1 to {}", kMostRepeats));
    const Value* first = node.find("first");
    Parameters each;
    if (const Value* given = node.find("each"))
      for (const auto& [key, list] : given->fields) {
        each[key] = substitute(list, scope.parameters);
        if (each[key].items.size() != static_cast<std::size_t>(*count))
          complain(list, fmt::format("'each: {}' must be a list of {} values", key, *count));
      }
    for (std::int64_t i = 0; i < *count; ++i) {
      Scope inner = scope;
      inner.parameters["i"] = Value::text(std::to_string(i));
      Value copy = node;
      auto set = [&](const std::string& key, const Value& value) {
        const auto found = std::find_if(copy.fields.begin(), copy.fields.end(),
                                        [&](const auto& f) { return f.first == key; });
        if (found != copy.fields.end())
          found->second = value;
        else
          copy.fields.emplace_back(key, value);
      };
      for (const auto& [key, values] : each) set(key, values.items[static_cast<std::size_t>(i)]);
      if (first != nullptr && i == 0)
        for (const auto& [key, value] : first->fields) set(key, value);
      const std::string unit = path + "." + std::to_string(i);
      inputs.front() =
          expand_one(copy, unit, weights_of(node, scope) + "." + std::to_string(i), inputs, inner);
      define(unit, inputs.front(), node);
    }
    return inputs.front();
  }

  std::string expand_one(const Value& node, const std::string& path, const std::string& weights,
                         const std::vector<std::string>& inputs, const Scope& scope) {
    const Value* op = node.find("op");
    const Value* block = node.find("block");
    if ((op == nullptr) == (block == nullptr))
      complain(node, "node '" + path + "' needs either 'op' or 'block'");
    Value rest = Value::map({});
    rest.where = node.where;
    for (const auto& [key, value] : node.fields)
      if (!is_structure(key)) rest.fields.emplace_back(key, substitute(value, scope.parameters));
    if (block != nullptr)
      return expand_block(substitute(*block, scope.parameters), rest, path, weights, inputs);
    result_.push_back({path, substitute(*op, scope.parameters).scalar, inputs, std::move(rest), weights});
    return path;
  }

  static bool is_structure(std::string_view key) {
    constexpr std::string_view kKeys[] = {"name", "op",     "block", "input", "inputs",
                                          "when", "repeat", "first", "each",  "weights"};
    return std::find(std::begin(kKeys), std::end(kKeys), key) != std::end(kKeys);
  }

  std::string expand_block(const Value& name, const Value& arguments, const std::string& path,
                           const std::string& weights, const std::vector<std::string>& inputs) {
    const auto found = library_.find(name.scalar);
    if (found == library_.end()) {
      std::vector<std::string> names;
      for (const auto& [known, unused] : library_) names.push_back(known);
      complain(name, "there is no block '" + name.scalar + "'" + did_you_mean(name.scalar, names));
    }
    const bool cyclic = std::find(open_.begin(), open_.end(), name.scalar) != open_.end();
    open_.push_back(name.scalar);
    if (cyclic || open_.size() > kMostNested) {
      std::string chain;
      for (const std::string& block : open_) chain += (chain.empty() ? "" : " -> ") + block;
      complain(name,
               (cyclic ? "blocks use each other in a circle: " : "blocks are nested too deeply: ") + chain);
    }
    const Value& definition = found->second.definition;
    Fields fields(definition, "block '" + name.scalar + "'");
    Scope scope{path + ".", weights + ".", {}, {{"input", inputs.front()}}};
    const std::vector<std::string> extra = fields.texts("inputs");
    if (extra.size() + 1 != inputs.size())
      complain(arguments, fmt::format("block '{}' takes {} inputs, not {}", name.scalar, extra.size() + 1,
                                      inputs.size()));
    for (std::size_t i = 0; i < extra.size(); ++i) scope.inputs[extra[i]] = inputs[i + 1];
    bind(scope, fields.find("parameters"), arguments, name.scalar);
    const Value& nodes = fields.require("nodes");
    const std::string output = fields.text("output", "");
    fields.finish();
    const std::string result = expand_list(nodes, output, scope);
    open_.pop_back();
    return result;
  }

  /// Parameters of a use of a block: what is given, else the default (which may use parameters before it).
  static void bind(Scope& scope, const Value* declared, const Value& arguments, const std::string& block) {
    std::vector<std::string> names;
    if (declared != nullptr && declared->kind != Value::Kind::map)
      complain(*declared, "block '" + block + "': 'parameters' must map names to defaults");
    if (declared != nullptr)
      for (const auto& [name, fallback] : declared->fields) {
        names.push_back(name);
        const Value* given = arguments.find(name);
        if (given == nullptr && fallback.kind == Value::Kind::null)
          complain(arguments, "block '" + block + "' needs the parameter '" + name + "'");
        scope.parameters[name] = given != nullptr ? *given : substitute(fallback, scope.parameters);
      }
    for (const auto& [key, value] : arguments.fields) {
      if (std::find(names.begin(), names.end(), key) != names.end()) continue;
      complain(value, "block '" + block + "' has no parameter '" + key + "'" + did_you_mean(key, names));
    }
  }

  const BlockLibrary& library_;
  std::vector<NodeSpec> result_;
  std::map<std::string, std::string, std::less<>>
      values_;                     ///< path of a node, block or unit -> node that makes its value
  std::vector<std::string> open_;  ///< blocks being expanded, outermost first
};

}  // namespace

void add_blocks(BlockLibrary& library, const Value& blocks) {
  if (blocks.kind != Value::Kind::map) complain(blocks, "'blocks' must map names to blocks");
  for (const auto& [name, definition] : blocks.fields)
    if (!library.emplace(name, Block{definition}).second)
      complain(definition, "block '" + name + "' is defined twice");
}

Expansion expand_network(const Value& nodes, const std::string& output, const Value& parameters,
                         const BlockLibrary& library, const Value& networks) {
  Expander expander(library);
  Scope scope{"", "", {}, {{"input", "input"}}};
  for (const auto& [name, value] : parameters.fields)
    scope.parameters[name] = substitute(value, scope.parameters);
  if (networks.kind != Value::Kind::null) expander.expand_networks(networks, scope);
  Expansion expansion;
  expansion.output = expander.expand_list(nodes, output, scope);
  expansion.nodes = expander.take();
  return expansion;
}

}  // namespace atrous
