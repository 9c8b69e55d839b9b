// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model_digest.h"

#include "core/digest.h"

namespace atrous {
namespace {

void add(Digest& digest, const Value& value) {
  digest.add(value.kind);
  digest.add(value.scalar);
  digest.add(value.items.size());
  for (const Value& item : value.items) add(digest, item);
  digest.add(value.fields.size());
  for (const auto& [key, field] : value.fields) digest.add(key), add(digest, field);
}

void add(Digest& digest, const NodeSpec& node) {
  for (const std::string& text : {node.name, node.op, node.weights}) digest.add(text);
  digest.add(node.inputs.size());
  for (const std::string& input : node.inputs) digest.add(input);
  add(digest, node.params);
  digest.add(node.range.has_value());
  if (node.range) digest.add(node.range->low), digest.add(node.range->high);
}

void add(Digest& digest, const LabelSet& labels) {
  digest.add(labels.classes.size());
  for (const LabelClass& label : labels.classes) {
    digest.add(label.name);
    for (std::uint8_t level : label.color) digest.add(level);
  }
  for (const auto& [left, right] : labels.flip_pairs) digest.add(left), digest.add(right);
}

void add(Digest& digest, const InputSpec& input) {
  digest.add(input.bgr);
  digest.add(input.scale);
  for (float value : input.mean) digest.add(value);
  for (float value : input.std) digest.add(value);
  digest.add(input.policy);
  for (int value : {input.height, input.width, input.multiple, input.offset}) digest.add(value);
}

void add(Digest& digest, const Constant& constant) {
  const TensorRef& tensor = constant.tensor;
  digest.add(tensor.name);
  for (std::int64_t extent : tensor.dims) digest.add(extent);
  digest.add(tensor.dtype);
  digest.add({tensor.data.get(), static_cast<std::size_t>(tensor.elements()) * size_of(tensor.dtype)});
}

}  // namespace

std::string model_digest(const ModelConfig& config, const Graph& graph) {
  Digest digest;
  digest.add(config.name);
  add(digest, config.labels);
  add(digest, config.input);
  for (const NodeSpec& node : config.nodes) add(digest, node);
  digest.add(config.output);
  digest.add(config.probabilities);
  digest.add(config.align_corners);
  digest.add(config.fusion);
  digest.add(config.refine.crf);
  digest.add(config.refine.superpixels);
  for (const Node& node : graph.nodes())
    for (const Constant& constant : node.constants) add(digest, constant);
  return digest.text();
}

}  // namespace atrous
