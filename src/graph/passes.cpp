// SPDX-License-Identifier: Apache-2.0
#include "graph/passes.h"

#include <algorithm>
#include <optional>

#include "graph/rewrite.h"
#include "ops/batch_norm.h"

namespace atrous {
namespace {

/// The node's arithmetic on a value of so many channels, where it is an affine one.
std::optional<ChannelAffine> affine_of(const Node& node, std::size_t channels) {
  if (const auto* norm = std::get_if<BatchNormParams>(&node.params)) return affine_of(*norm, node.constants);
  const auto* binary = std::get_if<BinaryParams>(&node.params);
  if (binary == nullptr || !binary->has_scalar) return std::nullopt;
  auto uniform = [&](double scale, double shift) {
    return ChannelAffine{std::vector<double>(channels, scale), std::vector<double>(channels, shift)};
  };
  switch (binary->kind) {
    case BinaryKind::add:
      return uniform(1, binary->scalar);
    case BinaryKind::sub:
      return uniform(1, -binary->scalar);
    case BinaryKind::mul:
      return uniform(binary->scalar, 0);
    case BinaryKind::div:
      return uniform(1.0 / binary->scalar, 0);
    default:
      return std::nullopt;
  }
}

void apply_affine(Node& conv, const ChannelAffine& affine) {
  auto& params = std::get<Conv2dParams>(conv.params);
  const std::size_t channels = affine.scale.size();
  Constant& weight = conv.constants[0];
  std::vector<float> bias = params.has_bias ? conv.constants[1].read_f32() : std::vector<float>(channels, 0);
  weight.scale.resize(channels, 1);
  for (std::size_t c = 0; c < channels; ++c) {
    weight.scale[c] = static_cast<float>(weight.scale[c] * affine.scale[c]);
    bias[c] = static_cast<float>(bias[c] * affine.scale[c] + affine.shift[c]);
  }
  conv.constants.resize(1);
  conv.constants.push_back(
      {"bias",
       make_tensor_ref(conv.name + ".bias", {static_cast<std::int64_t>(channels)}, std::move(bias)),
       {}});
  params.has_bias = true;
}

}  // namespace

Graph drop_identities(const Graph& graph) {
  Rewrite rewrite(graph);
  for (int i = 1; i < graph.size(); ++i)
    if (graph.node(i).kind() == OpKind::identity)
      rewrite.stands_for[static_cast<std::size_t>(i)] =
          rewrite.stands_for[static_cast<std::size_t>(graph.node(i).inputs[0])];
  return std::move(rewrite).finish();
}

Graph fold_affine(const Graph& graph) {
  Rewrite rewrite(graph);
  for (int i = 1; i < graph.size(); ++i) {
    const Node& node = rewrite.at(i);
    if (node.kind() != OpKind::batch_norm && node.kind() != OpKind::binary) continue;
    const int producer = node.inputs[0];
    const auto* conv = rewrite.sole<Conv2dParams>(producer);
    if (conv == nullptr || conv->has_residual || conv->activation.kind != ActivationKind::none) continue;
    const auto channels = static_cast<std::size_t>(rewrite.at(producer).constants[0].tensor.dims[0]);
    std::optional<ChannelAffine> affine = affine_of(node, channels);
    if (!affine) continue;
    Node folded = rewrite.at(producer);
    apply_affine(folded, *affine);
    rewrite.replace(i, std::move(folded));
  }
  return std::move(rewrite).finish();
}

namespace {

/// Makes the activation node i part of the P (a convolution or a dense layer) before it.
template <typename P>
void fuse_activation(Rewrite& rewrite, int i) {
  const auto* activation = std::get_if<ActivationParams>(&rewrite.at(i).params);
  if (activation == nullptr) return;
  const int producer = rewrite.at(i).inputs[0];
  const P* before = rewrite.sole<P>(producer);
  if (before == nullptr || before->activation.kind != ActivationKind::none) return;
  Node fused = rewrite.at(producer);
  std::get<P>(fused.params).activation = *activation;
  rewrite.replace(i, std::move(fused));
}

/// Makes the add node i part of a convolution it reads; the other operand is the residual.
void fuse_residual(Rewrite& rewrite, int i, std::span<const Shape> shapes) {
  const auto* binary = std::get_if<BinaryParams>(&rewrite.at(i).params);
  if (binary == nullptr || binary->kind != BinaryKind::add || binary->has_scalar) return;
  const std::vector<int> operands = rewrite.at(i).inputs;
  if (!(shapes[static_cast<std::size_t>(operands[0])] == shapes[static_cast<std::size_t>(operands[1])]))
    return;
  for (std::size_t side : {std::size_t{1}, std::size_t{0}}) {
    const auto* conv = rewrite.sole<Conv2dParams>(operands[side]);
    if (conv == nullptr || conv->has_residual || conv->activation.kind != ActivationKind::none) continue;
    Node fused = rewrite.at(operands[side]);
    std::get<Conv2dParams>(fused.params).has_residual = true;
    fused.inputs.push_back(operands[1 - side]);
    rewrite.replace(i, std::move(fused));
    return;
  }
}

}  // namespace

Graph fuse_epilogues(const Graph& graph, const Shape& nominal) {
  const std::vector<Shape> shapes = infer_shapes(graph, nominal);
  Rewrite rewrite(graph);
  for (int i = 1; i < graph.size(); ++i) {
    fuse_residual(rewrite, i, shapes);
    fuse_activation<Conv2dParams>(rewrite, i);
    fuse_activation<FullyConnectedParams>(rewrite, i);
  }
  return std::move(rewrite).finish();
}

namespace {

/// A convolution that can be a branch, at stride 1 and ungrouped.
const Conv2dParams* as_branch(const Node& node) {
  const auto* conv = std::get_if<Conv2dParams>(&node.params);
  return conv != nullptr && conv->groups == 1 && conv->sh == 1 && conv->sw == 1 ? conv : nullptr;
}

void add_branch(Node& pyramid, const Node& conv) {
  auto& params = std::get<PyramidParams>(pyramid.params);
  for (Constant constant : conv.constants) {
    constant.name = fmt::format("{}.{}", params.branches.size(), constant.name);
    pyramid.constants.push_back(std::move(constant));
  }
  params.branches.push_back(std::get<Conv2dParams>(conv.params));
  params.branches.back().has_residual = false;
}

/// A pyramid of the value `of`, without branches yet, named after its first.
Node start_pyramid(const Node& conv, int of, bool sum) {
  Node pyramid;
  pyramid.name = conv.name;
  pyramid.where = conv.where;
  pyramid.inputs = {of};
  pyramid.params = PyramidParams{{}, sum};
  return pyramid;
}

/// Makes the convolution i, whose residual is another branch or a sum of branches of the same value, part of
/// that sum.
void fuse_sum(Rewrite& rewrite, int i) {
  const Node& conv = rewrite.at(i);
  const Conv2dParams* last = as_branch(conv);
  if (last == nullptr || !last->has_residual) return;
  const int before = conv.inputs[1];
  if (!rewrite.read_once(before) || rewrite.at(before).inputs[0] != conv.inputs[0]) return;
  const Conv2dParams* first = as_branch(rewrite.at(before));
  const auto* sum = std::get_if<PyramidParams>(&rewrite.at(before).params);
  const bool starts =
                 first != nullptr && !first->has_residual && first->activation.kind == ActivationKind::none,
             goes_on =
                 sum != nullptr && sum->sum && sum->branches.back().activation.kind == ActivationKind::none;
  if (!starts && !goes_on) return;
  Node pyramid = rewrite.at(before);
  if (starts) {
    pyramid = start_pyramid(rewrite.at(before), conv.inputs[0], true);
    add_branch(pyramid, rewrite.at(before));
  }
  add_branch(pyramid, conv);
  rewrite.replace(i, std::move(pyramid));
}

bool is_spatial_mean(const Node& node) {
  if (const auto* pool = std::get_if<Pool2dParams>(&node.params))
    return pool->global && pool->kind == PoolKind::average;
  const auto* mean = std::get_if<ReduceMeanParams>(&node.params);
  return mean != nullptr && mean->over_hw;
}

bool is_pointwise(const Conv2dParams& p) {
  const Padding& pad = p.padding;
  return p.kh == 1 && p.kw == 1 && (pad.same || (pad.top | pad.left | pad.bottom | pad.right) == 0);
}

/// A value of a concatenation as a branch: the convolution that makes it, and the value that is convolved or,
/// if `pooled`, whose mean is.
struct Branch {
  int conv, of;
  bool pooled;
};

std::optional<Branch> branch_of(Rewrite& rewrite, int value) {
  auto conv_at = [&](int index) {
    const Conv2dParams* conv = rewrite.read_once(index) ? as_branch(rewrite.at(index)) : nullptr;
    return conv != nullptr && !conv->has_residual ? conv : nullptr;
  };
  if (conv_at(value) != nullptr) return Branch{value, rewrite.at(value).inputs[0], false};
  const auto* resize = rewrite.sole<ResizeParams>(value);
  if (resize == nullptr || !resize->like) return std::nullopt;
  const int product = rewrite.at(value).inputs[0], map = rewrite.at(value).inputs[1];
  const Conv2dParams* conv = conv_at(product);
  if (conv == nullptr || !is_pointwise(*conv)) return std::nullopt;
  const int mean = rewrite.at(product).inputs[0];
  if (!rewrite.read_once(mean) || !is_spatial_mean(rewrite.at(mean)) || rewrite.at(mean).inputs[0] != map)
    return std::nullopt;
  return Branch{product, map, true};
}

/// The branches that start at `begin` of a concatenation's inputs, of one value, one of them pooled at most.
std::vector<Branch> run_of_branches(Rewrite& rewrite, const std::vector<int>& values, std::size_t begin) {
  std::vector<Branch> run;
  bool pooled = false;
  for (std::size_t i = begin; i < values.size(); ++i) {
    const std::optional<Branch> branch = branch_of(rewrite, values[i]);
    if (!branch || (!run.empty() && branch->of != run[0].of) || (pooled && branch->pooled)) break;
    pooled |= branch->pooled;
    run.push_back(*branch);
  }
  return run;
}

/// Makes the runs of branches that the concatenation i reads pyramids, each in the place of its last branch.
void fuse_runs(Rewrite& rewrite, int i) {
  std::vector<int> inputs;
  const std::vector<int> given = rewrite.at(i).inputs;
  for (std::size_t begin = 0, end = 0; begin < given.size(); begin = end) {
    const std::vector<Branch> run = run_of_branches(rewrite, given, begin);
    end = begin + std::max<std::size_t>(run.size(), 1);
    if (run.size() < 2) {
      inputs.push_back(given[begin]);
      continue;
    }
    Node pyramid = start_pyramid(rewrite.at(run[0].conv), run[0].of, false);
    for (const Branch& branch : run) {
      auto& params = std::get<PyramidParams>(pyramid.params);
      if (branch.pooled) params.pooled = static_cast<int>(params.branches.size());
      add_branch(pyramid, rewrite.at(branch.conv));
    }
    const int place = *std::max_element(given.begin() + static_cast<std::ptrdiff_t>(begin),
                                        given.begin() + static_cast<std::ptrdiff_t>(end));
    rewrite.at(place) = std::move(pyramid);
    inputs.push_back(place);
  }
  rewrite.at(i).inputs = std::move(inputs);
}

}  // namespace

Graph fuse_pyramids(const Graph& graph) {
  Rewrite rewrite(graph);
  for (int i = 1; i < graph.size(); ++i) {
    fuse_sum(rewrite, i);
    if (rewrite.at(i).kind() == OpKind::concat) fuse_runs(rewrite, i);
  }
  return std::move(rewrite).finish();
}

namespace {

bool is_depthwise(const Node& node) {
  const auto* conv = std::get_if<Conv2dParams>(&node.params);
  if (conv == nullptr || conv->has_residual) return false;
  const std::vector<std::int64_t>& dims = node.constants[0].tensor.dims;  // [oc, ic / groups, kh, kw]
  return conv->groups == 0 ? conv->oc == 0 : conv->groups > 1 && conv->groups == dims[0] && dims[1] == 1;
}

void add_part(Node& separable, const Node& conv, std::string_view part) {
  for (Constant constant : conv.constants) {
    constant.name = fmt::format("{}.{}", part, constant.name);
    separable.constants.push_back(std::move(constant));
  }
}

/// Makes the 1x1 convolution i and the depthwise convolution that it alone reads one node.
void fuse_separable(Rewrite& rewrite, int i) {
  const Node& pointwise = rewrite.at(i);
  const Conv2dParams* product = as_branch(pointwise);
  if (product == nullptr || !is_pointwise(*product)) return;
  const int before = pointwise.inputs[0];
  if (!rewrite.read_once(before) || !is_depthwise(rewrite.at(before))) return;
  const Node& depthwise = rewrite.at(before);
  Node separable;
  separable.name = pointwise.name;
  separable.where = pointwise.where;
  separable.inputs = pointwise.inputs;
  separable.inputs[0] = depthwise.inputs[0];
  separable.params = SeparableParams{std::get<Conv2dParams>(depthwise.params), *product};
  add_part(separable, depthwise, "depthwise");
  add_part(separable, pointwise, "pointwise");
  rewrite.at(i) = std::move(separable);
}

}  // namespace

Graph fuse_separables(const Graph& graph) {
  Rewrite rewrite(graph);
  for (int i = 1; i < graph.size(); ++i) fuse_separable(rewrite, i);
  return std::move(rewrite).finish();
}

}  // namespace atrous
