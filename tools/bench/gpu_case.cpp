// SPDX-License-Identifier: Apache-2.0
#include "gpu_case.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "graph/builder.h"
#include "ops/conv2d.h"
#include "ops/separable.h"
#include "ops/window.h"

namespace atrous::bench {
namespace {

using Json = nlohmann::ordered_json;

std::string extent(const Shape& s) { return fmt::format("{}x{}x{}x{}", s.n, s.h, s.w, s.c); }

std::string name_of(const Conv2dParams& p, const Shape& in) {
  std::string name = fmt::format("{} oc{} k{}", extent(in), p.oc, p.kh);
  if (p.kw != p.kh) name += fmt::format("x{}", p.kw);
  if (p.sh > 1) name += fmt::format(" s{}", p.sh);
  if (p.dh > 1) name += fmt::format(" d{}", p.dh);
  if (p.groups > 1) name += fmt::format(" g{}", p.groups);
  if (p.padding.top != p.dh * (p.kh - 1) / 2) name += fmt::format(" p{}", p.padding.top);
  if (p.has_bias) name += " bias";
  if (p.has_residual) name += " residual";
  if (p.activation.kind != ActivationKind::none)
    name += fmt::format(" act{}", static_cast<int>(p.activation.kind));
  return name;
}

std::string name_of(const PyramidParams& p, const Shape& in) {
  std::string name = fmt::format("{} {}", extent(in), p.sum ? "sum" : "concat");
  for (const Conv2dParams& b : p.branches) name += fmt::format(" oc{}k{}d{}", b.oc, b.kh, b.dh);
  return name;
}

std::string name_of(const SeparableParams& p, const Shape& in) {
  const Conv2dParams &first = p.depthwise, &second = p.pointwise;
  std::string name = fmt::format("{} k{}", extent(in), first.kh);
  if (first.sh > 1) name += fmt::format(" s{}", first.sh);
  if (first.dh > 1) name += fmt::format(" d{}", first.dh);
  name += fmt::format(" act{} oc{} act{}", static_cast<int>(first.activation.kind), second.oc,
                      static_cast<int>(second.activation.kind));
  return second.has_residual ? name + " residual" : name;
}

std::string name_of(const Pool2dParams& p, const Shape& in) {
  const char* kind = p.kind == PoolKind::max ? "max" : "average";
  if (p.global) return fmt::format("{} global {}", kind, extent(in));
  if (p.bins_h > 0) return fmt::format("{} bins{}x{} {}", kind, p.bins_h, p.bins_w, extent(in));
  return fmt::format("{} k{} s{} {}", kind, p.kh, p.sh, extent(in));
}

/// Padding and channel counts that follow from the input as numbers; an adaptive size likewise.
OpParams resolved(const OpParams& params, const Shape& in) {
  OpParams result = params;
  if (auto* conv = std::get_if<Conv2dParams>(&result)) *conv = resolve_conv2d(*conv, in);
  if (auto* pyramid = std::get_if<PyramidParams>(&result))
    for (Conv2dParams& branch : pyramid->branches) branch = resolve_conv2d(branch, in);
  if (auto* separable = std::get_if<SeparableParams>(&result)) {
    separable->depthwise = resolve_conv2d(separable->depthwise, in);
    separable->pointwise.padding = {};
  }
  if (auto* pool = std::get_if<Pool2dParams>(&result))
    pool->padding =
        resolve_padding(pool->padding, in, pool->kh, pool->kw, pool->sh, pool->sw, pool->dh, pool->dw);
  return result;
}

/// Leaves the convolutions, which is what the peers are timed with.
void drop_pooling(PyramidParams& pyramid) {
  if (pyramid.pooled >= 0) pyramid.branches.erase(pyramid.branches.begin() + pyramid.pooled);
  pyramid.pooled = -1;
}

void add(std::vector<OperatorCase>& cases, OperatorCase c) {
  const auto same = std::find_if(cases.begin(), cases.end(),
                                 [&](const OperatorCase& other) { return other.name == c.name; });
  if (same == cases.end())
    cases.push_back(std::move(c));
  else if (std::find(same->used_in.begin(), same->used_in.end(), c.used_in.front()) == same->used_in.end())
    same->used_in.push_back(c.used_in.front());
}

void add_conv(std::vector<OperatorCase>& cases, const Conv2dParams& p, const std::vector<Shape>& inputs,
              const std::string& user) {
  const bool depthwise = p.groups > 1 && p.groups == inputs[0].c;
  const std::string group = depthwise ? "depthwise" : "conv";
  add(cases, {group, group + " " + name_of(p, inputs[0]), p, inputs, {user}});
}

Json describe_conv(const Conv2dParams& p) {
  return {{"oc", p.oc},
          {"kernel", {p.kh, p.kw}},
          {"stride", {p.sh, p.sw}},
          {"dilation", {p.dh, p.dw}},
          {"groups", p.groups},
          {"padding", {p.padding.top, p.padding.left, p.padding.bottom, p.padding.right}},
          {"bias", p.has_bias},
          {"residual", p.has_residual},
          {"relu", p.activation.kind == ActivationKind::relu},
          {"relu6", p.activation.kind == ActivationKind::relu6}};
}

}  // namespace

Graph build(const BenchNetwork& network) {
  return build_graph(network.nodes, network.output, network.inputs.front(), RandomWeights(1));
}

void collect(const Graph& graph, const Shape& input, const std::string& user,
             std::vector<OperatorCase>& cases) {
  const std::vector<Shape> shapes = infer_shapes(graph, input);
  for (const Node& node : graph.nodes()) {
    if (node.inputs.empty()) continue;
    const std::vector<Shape> inputs = input_shapes(node, shapes);
    OpParams params = resolved(node.params, inputs[0]);
    if (const auto* conv = std::get_if<Conv2dParams>(&params)) add_conv(cases, *conv, inputs, user);
    if (auto* pyramid = std::get_if<PyramidParams>(&params)) {
      drop_pooling(*pyramid);
      add(cases, {"pyramid", "pyramid " + name_of(*pyramid, inputs[0]), *pyramid, {inputs[0]}, {user}});
      for (const Conv2dParams& branch : pyramid->branches) add_conv(cases, branch, {inputs[0]}, user);
    }
    if (const auto* separable = std::get_if<SeparableParams>(&params)) {
      add(cases, {"separable", "separable " + name_of(*separable, inputs[0]), params, inputs, {user}});
      add_conv(cases, separable->depthwise, {inputs[0]}, user);
      add_conv(cases, separable->pointwise, pointwise_inputs(*separable, inputs), user);
    }
    if (const auto* pool = std::get_if<Pool2dParams>(&params))
      add(cases, {"pool", "pool " + name_of(*pool, inputs[0]), *pool, inputs, {user}});
    if (const auto* resize = std::get_if<ResizeParams>(&params)) {
      OperatorCase c{"resize", "", *resize, inputs, {user}};
      c.name = fmt::format("resize {} to {}", extent(inputs[0]), extent(output_shape(c)));
      add(cases, std::move(c));
    }
  }
}

std::vector<OperatorCase> ceilings() {
  Conv2dParams product;
  product.oc = 8192;
  return {{"ceiling", "copy 1 GiB", IdentityParams{}, {{1, 8192, 4096, 16}}, {}},
          {"ceiling", "matmul 8192", product, {{1, 64, 128, 8192}}, {}}};
}

Shape output_shape(const OperatorCase& c) { return schema_of(c.params).infer_shape(c.params, c.inputs); }

Json describe(const OperatorCase& c) {
  Json result{{"op", schema_of(c.params).name}, {"inputs", Json::array()}};
  for (const Shape& s : c.inputs) result["inputs"].push_back({s.n, s.h, s.w, s.c});
  const Shape out = output_shape(c);
  result["output"] = {out.n, out.h, out.w, out.c};
  if (const auto* conv = std::get_if<Conv2dParams>(&c.params)) result["branches"] = {describe_conv(*conv)};
  if (const auto* pyramid = std::get_if<PyramidParams>(&c.params)) {
    result["sum"] = pyramid->sum;
    for (const Conv2dParams& branch : pyramid->branches) result["branches"].push_back(describe_conv(branch));
  }
  if (const auto* separable = std::get_if<SeparableParams>(&c.params))
    result["branches"] = {describe_conv(separable->depthwise), describe_conv(separable->pointwise)};
  if (const auto* pool = std::get_if<Pool2dParams>(&c.params))
    result["pool"] = {{"max", pool->kind == PoolKind::max},
                      {"adaptive", pool->global || pool->bins_h > 0},
                      {"kernel", {pool->kh, pool->kw}},
                      {"stride", {pool->sh, pool->sw}},
                      {"padding", {pool->padding.top, pool->padding.left}},
                      {"ceil_mode", pool->ceil_mode},
                      {"count_include_pad", pool->count_include_pad}};
  if (const auto* resize = std::get_if<ResizeParams>(&c.params))
    result["resize"] = {{"bilinear", resize->mode == ResizeMode::bilinear},
                        {"align_corners", resize->coordinates == ResizeCoordinates::align_corners}};
  return result;
}

}  // namespace atrous::bench
