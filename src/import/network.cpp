// SPDX-License-Identifier: Apache-2.0
#include "import/network.h"

#include <algorithm>

#include "core/error.h"
#include "ops/schema.h"

namespace atrous {
namespace {

constexpr std::int64_t kMostExtent = std::int64_t{1} << 24;

void check(const Shape& shape) {
  for (std::int64_t extent : {shape.n, shape.h, shape.w, shape.c})
    if (extent < 1 || extent > kMostExtent)
      fail(ErrorCode::bad_config, "its value would be {}", to_string(shape));
}

}  // namespace

ImportedNetwork::ImportedNetwork(const Shape& input) : names_{{"input", 1}} {
  nodes_.push_back({"input", "input", {}, {}, {}, input});
}

int ImportedNetwork::add(const std::string& name, std::string op, std::vector<int> inputs, Keys keys,
                         std::vector<TensorRef> tensors) {
  const Value map = Value::map(std::move(keys));
  const OpSchema& schema = *find_schema(op);
  Fields fields(map, "as " + op);
  const OpParams params = schema.parse(op, fields);
  fields.finish();
  std::vector<Shape> shapes;
  for (int input : inputs) shapes.push_back((*this)[input].shape);
  for (const ConstantSpec& spec : schema.constants(params, shapes)) {
    const auto given = std::find_if(tensors.begin(), tensors.end(),
                                    [&](const TensorRef& tensor) { return tensor.name == spec.name; });
    if (given == tensors.end() || given->dims != spec.dims)
      fail(ErrorCode::bad_config, "its {} is {}, and its input of {} needs {}", spec.name,
           given == tensors.end() ? "missing" : dims_to_string(given->dims), to_string(shapes.at(0)),
           dims_to_string(spec.dims));
  }
  const Shape shape = schema.infer_shape(params, shapes);
  check(shape);
  nodes_.push_back({unique(name), std::move(op), std::move(inputs), map.fields, std::move(tensors), shape});
  return size() - 1;
}

std::string ImportedNetwork::unique(const std::string& name) {
  int& count = names_[name];
  std::string result = name;
  while (++count > 1) {
    result = fmt::format("{}_{}", name, count);
    if (!names_.contains(result)) break;
  }
  names_[result] = std::max(names_[result], 1);
  return result;
}

void ImportedNetwork::replace(int node, int other) {
  for (ImportedNode& reader : nodes_) std::replace(reader.inputs.begin(), reader.inputs.end(), node, other);
  if (output == node) output = other;
}

std::vector<int> ImportedNetwork::readers() const {
  std::vector<int> count(nodes_.size());
  for (const ImportedNode& node : nodes_)
    for (int input : node.inputs) ++count[static_cast<std::size_t>(input)];
  ++count[static_cast<std::size_t>(output)];
  return count;
}

void ImportedNetwork::prune() {
  std::vector<int> kept(nodes_.size(), -1);
  kept[static_cast<std::size_t>(output)] = kept[0] = 0;
  for (int i = output; i > 0; --i)
    if (kept[static_cast<std::size_t>(i)] == 0)
      for (int input : (*this)[i].inputs) kept[static_cast<std::size_t>(input)] = 0;
  std::vector<ImportedNode> nodes;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (kept[i] < 0) continue;
    kept[i] = static_cast<int>(nodes.size());
    nodes.push_back(std::move(nodes_[i]));
    for (int& input : nodes.back().inputs) input = kept[static_cast<std::size_t>(input)];
  }
  nodes_ = std::move(nodes);
  output = kept[static_cast<std::size_t>(output)];
}

Value number(float value) { return Value::text(fmt::format("{}", value)); }
Value number(std::int64_t value) { return Value::text(std::to_string(value)); }

Value pair_of(std::int64_t h, std::int64_t w) {
  return h == w ? number(h) : Value::list({number(h), number(w)});
}

Value padding_of(std::int64_t top, std::int64_t left, std::int64_t bottom, std::int64_t right) {
  if (top == bottom && left == right) return pair_of(top, left);
  return Value::list({number(top), number(left), number(bottom), number(right)});
}

}  // namespace atrous
