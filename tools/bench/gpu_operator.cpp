// SPDX-License-Identifier: Apache-2.0
#include "gpu_operator.h"

#include <algorithm>

#include "core/error.h"

namespace atrous::bench {
namespace {

std::vector<Constant> random_constants(const OpParams& params, std::span<const Shape> inputs,
                                       const std::string& name) {
  std::vector<Constant> constants;
  const RandomWeights random(1);
  for (const ConstantSpec& spec : schema_of(params).constants(params, inputs))
    constants.push_back({spec.name, *random.find(name + "." + spec.name, spec.dims), {}});
  return constants;
}

std::size_t add_tensor(Recipe& recipe, const Shape& shape, DType dtype) {
  const TensorDesc desc = TensorDesc::dense(shape, dtype);
  recipe.buffers.push_back(desc.bytes());
  recipe.tensors.push_back({desc, recipe.buffers.size() - 1, 0});
  return recipe.tensors.size() - 1;
}

/// Channels [first, first + c) of a tensor.
std::size_t add_slice(Recipe& recipe, std::size_t whole, std::int64_t first, std::int64_t c) {
  Recipe::Tensor slice = recipe.tensors[whole];
  slice.desc.shape.c = c;
  slice.offset = static_cast<std::size_t>(first) * size_of(slice.desc.dtype);
  while (slice.offset % slice.desc.base_alignment != 0) slice.desc.base_alignment /= 2;
  recipe.tensors.push_back(slice);
  return recipe.tensors.size() - 1;
}

/// Calls f with each step as a backend sees it.
template <typename F>
void for_each_node(const Recipe& recipe, const F& f) {
  for (std::size_t s = 0; s < recipe.steps.size(); ++s) {
    const Recipe::Step& step = recipe.steps[s];
    std::vector<TensorDesc> inputs;
    for (std::size_t input : step.inputs) inputs.push_back(recipe.tensors[input].desc);
    const std::string name = fmt::format("step{}", s);
    f(NodeDesc{name, step.params, inputs, recipe.tensors[step.output].desc, step.constants});
  }
}

}  // namespace

Recipe as_one_node(const OperatorCase& c, DType dtype) {
  Recipe recipe;
  Recipe::Step step{c.params, random_constants(c.params, c.inputs, c.name), {}, 0};
  for (const Shape& shape : c.inputs) step.inputs.push_back(add_tensor(recipe, shape, dtype));
  step.output = add_tensor(recipe, output_shape(c), dtype);
  recipe.steps.push_back(std::move(step));
  return recipe;
}

Recipe as_branches(const OperatorCase& c, DType dtype) {
  const auto& pyramid = std::get<PyramidParams>(c.params);
  Recipe recipe;
  const std::size_t in = add_tensor(recipe, c.inputs[0], dtype);
  const std::size_t whole = pyramid.sum ? 0 : add_tensor(recipe, output_shape(c), dtype);
  std::int64_t channel = 0;
  for (const Conv2dParams& branch : pyramid.branches) {
    OperatorCase one{c.group, fmt::format("{}.{}", c.name, recipe.steps.size()), branch, c.inputs, {}};
    Recipe::Step step{branch, random_constants(branch, one.inputs, one.name), {in}, 0};
    if (!pyramid.sum) {
      step.output = add_slice(recipe, whole, channel, branch.oc);
      channel += branch.oc;
    } else {
      step.output = add_tensor(recipe, output_shape(one), dtype);
      if (!recipe.steps.empty()) {
        std::get<Conv2dParams>(step.params).has_residual = true;
        step.inputs.push_back(recipe.steps.back().output);
      }
    }
    recipe.steps.push_back(std::move(step));
  }
  return recipe;
}

double least_bytes(const OperatorCase& c, DType dtype) {
  double elements = static_cast<double>(output_shape(c).elements());
  for (const Shape& shape : c.inputs) elements += static_cast<double>(shape.elements());
  for (const ConstantSpec& spec : schema_of(c.params).constants(c.params, c.inputs)) {
    double count = 1;
    for (std::int64_t extent : spec.dims) count *= static_cast<double>(extent);
    elements += count;
  }
  return elements * static_cast<double>(size_of(dtype));
}

std::string refuse(const Recipe& recipe, const Implementation& implementation) {
  std::string reason;
  for_each_node(recipe, [&](const NodeDesc& node) {
    if (reason.empty()) reason = implementation.refuse(node);
  });
  return reason;
}

PreparedRecipe::PreparedRecipe(const Backend& backend, Stream& stream, const Recipe& recipe,
                               const Implementation& implementation,
                               const std::vector<std::vector<std::unique_ptr<DeviceMemory>>>& sets)
    : stream_(stream) {
  std::size_t workspace = 256;
  for_each_node(recipe, [&](const NodeDesc& node) {
    PrepareContext context{weights_};
    kernels_.push_back(implementation.prepare(node, context));
    workspace = std::max(workspace, kernels_.back()->workspace_bytes());
  });
  workspace_ = backend.allocate(workspace);
  for (const auto& buffers : sets) {
    auto address = [&](std::size_t tensor) {
      return buffers[recipe.tensors[tensor].buffer]->data() + recipe.tensors[tensor].offset;
    };
    std::vector<Addresses>& addresses = sets_.emplace_back();
    for (const Recipe::Step& step : recipe.steps) {
      Addresses& at = addresses.emplace_back(Addresses{{}, address(step.output)});
      for (std::size_t input : step.inputs) at.inputs.push_back(address(input));
    }
  }
}

void PreparedRecipe::enqueue(int set) const {
  const std::vector<Addresses>& addresses = sets_[static_cast<std::size_t>(set)];
  for (std::size_t s = 0; s < kernels_.size(); ++s)
    kernels_[s]->run({addresses[s].inputs, addresses[s].output, workspace_->data(), &stream_});
}

std::string PreparedRecipe::detail() const {
  std::string text;
  for (const auto& kernel : kernels_)
    if (const std::string detail = kernel->detail(); !detail.empty())
      text += (text.empty() ? "" : "; ") + detail;
  return text;
}

}  // namespace atrous::bench
