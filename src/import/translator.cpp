// SPDX-License-Identifier: Apache-2.0
#include "import/translator.h"

#include <algorithm>
#include <unordered_set>

#include "core/error.h"

namespace atrous {
namespace {

/// The nodes that the output needs, in the order of the file.
std::vector<const OnnxNode*> needed_nodes(const OnnxModel& model) {
  std::unordered_set<std::string> needed{model.outputs[0]};
  std::vector<const OnnxNode*> nodes;
  for (auto node = model.nodes.rbegin(); node != model.nodes.rend(); ++node) {
    const bool needs = std::any_of(node->outputs.begin(), node->outputs.end(),
                                   [&](const std::string& output) { return needed.contains(output); });
    if (!needs) continue;
    needed.insert(node->inputs.begin(), node->inputs.end());
    nodes.push_back(&*node);
  }
  std::reverse(nodes.begin(), nodes.end());
  return nodes;
}

std::string operator_names() {
  std::vector<std::string_view> names;
  for (const auto& [name, translation] : translations()) names.push_back(name);
  std::sort(names.begin(), names.end());
  return fmt::format("{}", fmt::join(names, ", "));
}

class Translator {
 public:
  Translator(const OnnxModel& model, const OnnxPhoto& photo) : model_(model), network_(photo.shape) {
    for (const auto& [name, array] : model.initializers) values_[name].constant = array;
    values_[model.inputs.at(0).name] = {{}, 0, photo.layout};
    budget_.elements += 4 * static_cast<std::int64_t>(model.bytes);
  }

  ImportedNetwork translate() && {
    for (const OnnxNode* node : needed_nodes(model_)) try {
        add(*node);
      } catch (const Error& error) {
        throw Error(error.code(),
                    fmt::format("operator {} (node '{}', opset {}): {}", node->op.substr(0, 100),
                                node->name.substr(0, 200), model_.opset, error.message()));
      }
    const auto output = values_.find(model_.outputs[0]);
    if (output == values_.end() || output->second.constant)
      fail(ErrorCode::bad_file, "its output '{}' is not computed from its input", model_.outputs[0]);
    network_.output = output->second.node;
    return std::move(network_);
  }

 private:
  void add(const OnnxNode& node) {
    if (!node.domain.empty())
      fail(ErrorCode::unsupported, "is of '{}'; accepted are operators of ONNX itself",
           node.domain.substr(0, 100));
    bool computed = false;
    for (const std::string& input : node.inputs) {
      if (input.empty()) continue;
      const auto found = values_.find(input);
      if (found == values_.end())
        fail(ErrorCode::bad_file, "reads '{}', which nothing before it makes", input.substr(0, 200));
      computed = computed || !found->second.constant;
    }
    const bool output =
        std::find(node.outputs.begin(), node.outputs.end(), model_.outputs[0]) != node.outputs.end();
    NodeContext context(node, model_.opset, values_, network_, output);
    if (!computed) return keep(node, fold(node, context.constants(), budget_));
    if (node.op == "Shape" || node.op == "Size") {
      // Its extents are all that is asked for, whatever stands in it.
      const Array extents = Array::wholes(context.dims(0), {});
      return keep(node, fold(node, {&extents}, budget_));
    }
    const auto translation = translations().find(node.op);
    if (translation == translations().end())
      fail(ErrorCode::unsupported, "is not supported; accepted are {}", operator_names());
    translation->second(context);
  }

  void keep(const OnnxNode& node, std::optional<std::vector<Array>> results) {
    if (!results) fail(ErrorCode::unsupported, "is not computed from constants at import");
    for (std::size_t i = 0; i < std::min(results->size(), node.outputs.size()); ++i)
      values_[node.outputs[i]] = {std::move((*results)[i]), -1, {}};
  }

  const OnnxModel& model_;
  ImportedNetwork network_;
  std::unordered_map<std::string, OnnxValue> values_;
  FoldBudget budget_{1 << 20};
};

}  // namespace

NodeContext::NodeContext(const OnnxNode& node, int opset_, std::unordered_map<std::string, OnnxValue>& values,
                         ImportedNetwork& network_, bool makes_output_)
    : onnx(node), opset(opset_), makes_output(makes_output_), network(network_), values_(values) {
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const OnnxValue* input = find(i);
    constants_.push_back(input != nullptr && input->constant ? &*input->constant : nullptr);
  }
  const OnnxValue* first = find(0);
  const bool weighted = first != nullptr && first->node >= 0 && !network[first->node].tensors.empty();
  name_ = node_name(node, weighted && node.inputs.size() == 1 ? network[first->node].name : "");
}

const OnnxValue* NodeContext::find(std::size_t input) const {
  const auto found = onnx.has_input(input) ? values_.find(onnx.inputs[input]) : values_.end();
  return found == values_.end() ? nullptr : &found->second;
}

const Array* NodeContext::constant(std::size_t input) const {
  return input < constants_.size() ? constants_[input] : nullptr;
}

const Array& NodeContext::weights(std::size_t input, std::size_t rank) const {
  const Array* array = constant(input);
  if (array == nullptr || array->is_whole() || array->dims().size() != rank)
    refuse(fmt::format("a constant of real numbers with {} dimensions as input {}", rank, input + 1));
  return *array;
}

const OnnxValue& NodeContext::value(std::size_t input) const {
  const OnnxValue* found = find(input);
  if (found == nullptr) fail(ErrorCode::bad_file, "has no input {}", input + 1);
  if (found->constant) refuse(fmt::format("an input {} that is computed from the photo", input + 1));
  return *found;
}

char NodeContext::letter(std::size_t input, std::int64_t axis) const {
  const Layout& layout = value(input).layout;
  const std::size_t index = axis_index(axis, layout.rank());
  std::string letters = layout.used(shape(input), index);
  if (letters.empty()) letters = layout[index];
  if (letters.empty() && layout.is(shape(input), {"n", "c", "h", "w"})) letters = "nchw"[index];
  if (letters.size() != 1)
    refuse(fmt::format("an axis that is channels, height or width (axis {} of [{}] here)", axis,
                       to_string(layout)));
  return letters[0];
}

const OnnxValue& NodeContext::image(std::size_t input) const {
  const OnnxValue& found = value(input);
  if (!found.layout.is(shape(input), {"n", "c", "h", "w"}))
    refuse(fmt::format("an input that lies [n,c,h,w], not [{}]", to_string(found.layout)));
  return found;
}

int NodeContext::emit(std::string op, std::vector<int> inputs, Keys keys, std::vector<TensorRef> tensors) {
  return network.add(name_, std::move(op), std::move(inputs), std::move(keys), std::move(tensors));
}

void NodeContext::result(int node, Layout layout, std::size_t output) {
  if (output < onnx.outputs.size()) values_[onnx.outputs[output]] = {{}, node, std::move(layout)};
}

void NodeContext::refuse(const std::string& accepted) {
  fail(ErrorCode::unsupported, "accepted is {}", accepted);
}

TensorRef named(const Array& array, std::string name) {
  TensorRef tensor = array.tensor();
  tensor.name = std::move(name);
  return tensor;
}

ImportedNetwork translate(const OnnxModel& model, const OnnxPhoto& photo) {
  return Translator(model, photo).translate();
}

}  // namespace atrous
