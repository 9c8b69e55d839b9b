// SPDX-License-Identifier: Apache-2.0
#include "network_text.h"

#include <nlohmann/json.hpp>

#include "core/error.h"

namespace atrous::bench {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const Value& value) {
  Json result;
  switch (value.kind) {
    case Value::Kind::null:
      break;
    case Value::Kind::scalar:
      result = value.scalar;
      break;
    case Value::Kind::list:
      result = Json::array();
      for (const Value& item : value.items) result.push_back(json_of(item));
      break;
    case Value::Kind::map:
      result = Json::object();
      for (const auto& [key, field] : value.fields) result[key] = json_of(field);
      break;
  }
  return result;
}

}  // namespace

Value value_of(const Json& json) {
  if (json.is_null()) return {};
  if (json.is_string()) return Value::text(json.get<std::string>());
  std::vector<Value> items;
  std::vector<std::pair<std::string, Value>> fields;
  if (json.is_array()) {
    for (const Json& item : json) items.push_back(value_of(item));
    return Value::list(std::move(items));
  }
  if (!json.is_object()) fail(ErrorCode::bad_file, "a network's numbers must be written as text");
  for (const auto& [key, field] : json.items()) fields.emplace_back(key, value_of(field));
  return Value::map(std::move(fields));
}

Json to_json(const BenchNetwork& network) {
  Json result{{"name", network.name}, {"group", network.group}, {"inputs", Json::array()}};
  for (const Shape& s : network.inputs) result["inputs"].push_back({s.n, s.h, s.w, s.c});
  for (const NodeSpec& node : network.nodes)
    result["nodes"].push_back({{"name", node.name},
                               {"op", node.op},
                               {"inputs", node.inputs},
                               {"params", json_of(node.params)},
                               {"weights", node.weights}});
  result["output"] = network.output;
  return result;
}

std::vector<BenchNetwork> read_networks(const std::string& text) {
  std::vector<BenchNetwork> networks;
  for (const Json& json : Json::parse(text)) {
    BenchNetwork network{json.at("name"), json.at("group"), {}, {}, json.at("output")};
    for (const Json& s : json.at("inputs")) network.inputs.push_back({s.at(0), s.at(1), s.at(2), s.at(3)});
    for (const Json& node : json.at("nodes"))
      network.nodes.push_back({node.at("name"), node.at("op"), node.at("inputs"), value_of(node.at("params")),
                               node.at("weights")});
    networks.push_back(std::move(network));
  }
  return networks;
}

}  // namespace atrous::bench
