// SPDX-License-Identifier: Apache-2.0
#include "graph/builder.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <unordered_map>

namespace atrous {
namespace {

/// Index of the first of `count` values that is NaN or infinite, which its exponent's bits say, or -1.
template <typename Bits>
std::int64_t first_with_exponent(const std::byte* values, std::int64_t count, Bits exponent) {
  constexpr std::int64_t kBlock = 4096;  // looked through without a branch a value
  auto found = [&](std::int64_t i) -> Bits {
    Bits bits = 0;
    std::memcpy(&bits, values + i * static_cast<std::int64_t>(sizeof bits), sizeof bits);
    return (bits & exponent) == exponent ? 1 : 0;
  };
  for (std::int64_t begin = 0; begin < count; begin += kBlock) {
    const std::int64_t end = std::min(begin + kBlock, count);
    Bits any = 0;
    for (std::int64_t i = begin; i < end; ++i) any = static_cast<Bits>(any | found(i));
    for (std::int64_t i = begin; any != 0 && i < end; ++i)
      if (found(i) != 0) return i;
  }
  return -1;
}

std::int64_t first_not_finite(const TensorRef& tensor) {
  const std::byte* values = tensor.data.get();
  switch (tensor.dtype) {
    case DType::f32:
      return first_with_exponent<std::uint32_t>(values, tensor.elements(), 0x7f800000);
    case DType::f16:
      return first_with_exponent<std::uint16_t>(values, tensor.elements(), 0x7c00);
    case DType::bf16:
      return first_with_exponent<std::uint16_t>(values, tensor.elements(), 0x7f80);
    default:
      return -1;
  }
}

TensorRef find_tensor(const std::string& name, const std::vector<std::int64_t>& dims,
                      const WeightSource& weights) {
  std::optional<TensorRef> tensor = weights.find(name, dims);
  if (!tensor) fail(ErrorCode::bad_config, "{} has no tensor '{}'", weights.describe(), name);
  if (tensor->dims != dims)
    fail(ErrorCode::bad_config, "tensor '{}' of {} is {}, the node needs {}", name, weights.describe(),
         dims_to_string(tensor->dims), dims_to_string(dims));
  return std::move(*tensor);
}

/// What one step of each slice of an 8-bit weight stands for: "NAME_scale".
std::vector<float> find_scale(const std::string& weight, std::int64_t slices, const WeightSource& weights) {
  const std::string name = weight + "_scale";
  const TensorRef tensor = find_tensor(name, {slices}, weights);
  if (tensor.dtype == DType::s8)
    fail(ErrorCode::bad_file, "tensor '{}' of {} holds integers, a scale is a real number", name,
         weights.describe());
  std::vector<float> scale = Constant{name, tensor, {}}.read_f32();
  for (std::size_t i = 0; i < scale.size(); ++i)
    if (!(scale[i] > 0) || !std::isfinite(scale[i]))
      fail(ErrorCode::bad_file, "tensor '{}' of {} must hold finite values above 0 (element {} is {})", name,
           weights.describe(), i, scale[i]);
  return scale;
}

Constant find_constant(const ConstantSpec& spec, const std::string& prefix, const WeightSource& weights) {
  const std::string name = prefix + "." + spec.name;
  Constant constant{spec.name, find_tensor(name, spec.dims, weights), {}};
  if (constant.tensor.dtype == DType::s8) constant.scale = find_scale(name, spec.dims[0], weights);
  if (std::int64_t at = first_not_finite(constant.tensor); at >= 0)
    fail(ErrorCode::bad_file, "tensor '{}' of {} holds NaN or infinity (element {})", name,
         weights.describe(), at);
  constant.tensor.forget();
  if (spec.non_negative) {
    const std::vector<float> values = constant.read_f32();
    const auto below = std::find_if(values.begin(), values.end(), [](float value) { return value < 0; });
    if (below != values.end())
      fail(ErrorCode::bad_file, "tensor '{}' of {} must not hold values below 0 (element {} is {})", name,
           weights.describe(), below - values.begin(), *below);
  }
  return constant;
}

void check_input_count(const OpSchema& schema, std::string_view op, std::size_t count) {
  const auto low = static_cast<std::size_t>(schema.min_inputs);
  if (count < low || (schema.max_inputs >= 0 && count > static_cast<std::size_t>(schema.max_inputs)))
    fail(ErrorCode::bad_config, "operator '{}' takes {} inputs{}, not {}", op, schema.min_inputs,
         schema.max_inputs == schema.min_inputs ? ""
         : schema.max_inputs < 0                ? " or more"
                                                : fmt::format(" to {}", schema.max_inputs),
         count);
}

class Builder {
 public:
  Builder(const Shape& nominal, const WeightSource& weights) : weights_(weights), shapes_{nominal} {
    Node input;
    input.name = "input";
    input.params = InputParams{};
    nodes_.push_back(std::move(input));
    index_of_["input"] = 0;
  }

  void add(const NodeSpec& spec) {
    Node node;
    node.name = spec.name;
    node.where = spec.params.where;
    node.range = spec.range;
    const OpSchema& schema =
        with_place(node.where, node.name, [&]() -> const OpSchema& { return find_op(spec.op); });
    Fields fields(spec.params, "node '" + spec.name + "'");
    node.params = schema.parse(spec.op, fields);
    fields.finish();
    shapes_.push_back(with_place(node.where, node.name, [&] {
      for (const std::string& input : spec.inputs) node.inputs.push_back(find(input));
      check_input_count(schema, spec.op, node.inputs.size());
      std::vector<Shape> inputs = input_shapes(node, shapes_);
      for (const ConstantSpec& constant : schema.constants(node.params, inputs))
        node.constants.push_back(find_constant(constant, spec.weights, weights_));
      return schema.infer_shape(node.params, inputs);
    }));
    if (!index_of_.emplace(node.name, static_cast<int>(nodes_.size())).second)
      with_place(node.where, node.name, [] { fail(ErrorCode::bad_config, "this name is used twice"); });
    nodes_.push_back(std::move(node));
  }

  Graph finish(const std::string& output, const std::vector<std::string>& more) && {
    std::vector<int> outputs{find(output)};
    for (const std::string& name : more) {
      const auto found = index_of_.find(name);
      if (found == index_of_.end()) fail(ErrorCode::invalid_argument, "{}", no_output(name));
      outputs.push_back(found->second);
    }
    return Graph(std::move(nodes_), std::move(outputs));
  }

 private:
  static const OpSchema& find_op(const std::string& op) {
    const OpSchema* schema = find_schema(op);
    if (schema != nullptr && schema != &schema_of(OpKind::input)) return *schema;
    fail(ErrorCode::bad_config, "unknown operator '{}'{}", op, did_you_mean(op, all_config_names()));
  }

  std::string no_output(const std::string& name) const {
    std::vector<std::string> names;
    for (const Node& node : nodes_) names.push_back(node.name);
    return fmt::format("the network has no node '{}'{}", name, did_you_mean(name, names));
  }

  int find(const std::string& name) const {
    auto found = index_of_.find(name);
    if (found == index_of_.end())
      fail(ErrorCode::bad_config, "there is no node '{}' before this place", name);
    return found->second;
  }

  const WeightSource& weights_;
  std::vector<Node> nodes_;
  std::vector<Shape> shapes_;
  std::unordered_map<std::string, int> index_of_;
};

}  // namespace

Graph build_graph(const std::vector<NodeSpec>& nodes, const std::string& output, const Shape& nominal,
                  const WeightSource& weights, const std::vector<std::string>& more) {
  Builder builder(nominal, weights);
  for (const NodeSpec& spec : nodes) builder.add(spec);
  return std::move(builder).finish(output, more);
}

Shape nominal_input(const InputSpec& input) {
  const int height = input.height > 0 ? input.height : 513;
  return {1, height, input.width > 0 ? input.width : height, 3};
}

}  // namespace atrous
