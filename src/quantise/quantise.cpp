// SPDX-License-Identifier: Apache-2.0
#include "quantise/quantise.h"

#include <algorithm>
#include <cmath>

#include "graph/passes.h"

namespace atrous {
namespace {

constexpr int kLargest = 127;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

/// The weights on 8 bits, symmetric, and what one step of each output channel is.
std::pair<TensorRef, TensorRef> quantise_weight(const Constant& weight) {
  const std::vector<float> values = weight.read_f32();
  const auto channels = static_cast<std::size_t>(weight.tensor.dims[0]);
  const std::size_t taps = values.size() / channels;
  std::vector<float> scales(channels);
  auto integers = std::make_shared<std::vector<std::int8_t>>(values.size());
  for (std::size_t o = 0; o < channels; ++o) {
    float largest = 0;
    for (std::size_t i = o * taps; i < (o + 1) * taps; ++i) largest = std::max(largest, std::abs(values[i]));
    scales[o] = largest / kLargest > 0 ? largest / kLargest : 1;
    for (std::size_t i = o * taps; i < (o + 1) * taps; ++i)
      (*integers)[i] = static_cast<std::int8_t>(
          std::clamp(std::nearbyint(values[i] / scales[o]), -float{kLargest}, float{kLargest}));
  }
  std::shared_ptr<const std::byte> data(integers, reinterpret_cast<const std::byte*>(integers->data()));
  return {{weight.tensor.name, weight.tensor.dims, DType::s8, std::move(data)},
          make_tensor_ref(weight.tensor.name + "_scale", {weight.tensor.dims[0]}, std::move(scales))};
}

}  // namespace

Quantiser::Quantiser(const Graph& graph, const Shape& nominal, const std::set<std::string>& keep)
    : graph_(graph) {
  choose(nominal, keep);
  find_observed();
}

void Quantiser::choose(const Shape& nominal, const std::set<std::string>& keep) {
  const std::vector<Shape> shapes = infer_shapes(graph_, nominal);
  std::set<std::string> unknown = keep, kept_weights;
  for (int i = 1; i < graph_.size(); ++i) {
    const Node& node = graph_.node(i);
    if (node.kind() != OpKind::conv2d) continue;
    const TensorRef& weight = node.constants[0].tensor;
    if (weight.dtype == DType::s8)
      fail(ErrorCode::unsupported, "node '{}': its weights are on 8 bits already", node.name);
    const bool wanted = unknown.erase(node.name) > 0;
    const Shape& shape = shapes[at(i)];
    if (wanted || node.inputs[0] == 0 || shape.h * shape.w == 1 ||
        weight.elements() / weight.dims[0] > kMostQuantisedTaps)
      kept_weights.insert(weight.name);
  }
  if (!unknown.empty())
    fail(ErrorCode::invalid_argument, "the network has no convolution '{}' to keep as it is",
         *unknown.begin());
  for (int i = 1; i < graph_.size(); ++i) {
    const Node& node = graph_.node(i);
    if (node.kind() != OpKind::conv2d) continue;
    if (kept_weights.contains(node.constants[0].tensor.name))
      ++kept_;
    else
      chosen_.insert(i);
  }
  if (chosen_.empty()) fail(ErrorCode::unsupported, "the network has no convolution that gains by 8 bits");
}

/// What chosen convolutions read, what is added up (residuals) and what is joined.
void Quantiser::find_observed() {
  for (int i = 1; i < graph_.size(); ++i) {
    const Node& node = graph_.node(i);
    const auto* binary = std::get_if<BinaryParams>(&node.params);
    const bool adds = binary != nullptr && binary->kind == BinaryKind::add && !binary->has_scalar;
    if (node.kind() == OpKind::concat) histograms_[node.name];
    for (std::size_t operand = 0; operand < node.inputs.size(); ++operand)
      if (node.inputs[operand] != 0 && (adds || (operand == 0 && chosen_.contains(i))))
        histograms_[graph_.node(node.inputs[operand]).name];
  }
}

void Quantiser::observe(const Node& node, const TensorView& value) {
  const auto found = histograms_.find(node.name);
  if (found == histograms_.end()) return;
  const std::span values(static_cast<const float*>(value.data),
                         static_cast<std::size_t>(value.desc.shape.elements()));
  if (!found->second.add(values)) fail(ErrorCode::bad_file, "node '{}' makes NaN or infinity", node.name);
}

Value Quantiser::ranges(const CalibrationOptions& options) const {
  Value ranges = Value::map({});
  for (const auto& [name, histogram] : histograms_)
    if (const std::optional<ValueRange> range = histogram.range(options))
      ranges.fields.emplace_back(name, Value::list({Value::text(fmt::format("{}", range->low)),
                                                    Value::text(fmt::format("{}", range->high))}));
  return ranges;
}

std::vector<TensorRef> Quantiser::tensors() const {
  std::map<std::string, TensorRef> tensors;
  for (int i = 1; i < graph_.size(); ++i)
    for (const Constant& constant : graph_.node(i).constants) {
      if (tensors.contains(constant.tensor.name)) continue;
      if (constant.name != "weight" || !chosen_.contains(i)) {
        tensors.emplace(constant.tensor.name, constant.tensor);
        continue;
      }
      auto [integers, scales] = quantise_weight(constant);
      tensors.emplace(scales.name, scales);
      tensors.emplace(integers.name, std::move(integers));
    }
  std::vector<TensorRef> result;
  for (auto& [name, tensor] : tensors) result.push_back(std::move(tensor));
  std::stable_sort(result.begin(), result.end(), [](const TensorRef& a, const TensorRef& b) {
    return size_of(a.dtype) > size_of(b.dtype);
  });
  return result;
}

}  // namespace atrous
