// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <array>

#include "cli/node_report.h"
#include "ops/schema.h"

namespace atrous::cli {
namespace {

/// In the order of ActivationKind.
constexpr std::array<std::string_view, 12> kActivations = {
    "none",      "relu", "relu6",    "leaky_relu", "sigmoid", "hardsigmoid",
    "hardswish", "silu", "gelu_erf", "gelu_tanh",  "tanh",    "clip"};
/// In the order of BinaryKind.
constexpr std::array<std::string_view, 6> kBinaries = {"add", "sub", "mul", "div", "max", "min"};

std::string_view name_of(const ActivationParams& params) {
  return kActivations.at(static_cast<std::size_t>(params.kind));
}

std::string fused(const ActivationParams& params) {
  return params.kind == ActivationKind::none ? "" : fmt::format(" +{}", name_of(params));
}

std::string window(int kh, int kw, int sh, int sw, int dh, int dw) {
  std::string text = fmt::format(" {}x{}", kh, kw);
  if (sh > 1 || sw > 1) text += sh == sw ? fmt::format("/{}", sh) : fmt::format("/{}x{}", sh, sw);
  if (dh > 1 || dw > 1) text += dh == dw ? fmt::format(" rate {}", dh) : fmt::format(" rate {}x{}", dh, dw);
  return text;
}

std::string describe(const Conv2dParams& p) {
  std::string text = "conv2d" + window(p.kh, p.kw, p.sh, p.sw, p.dh, p.dw);
  if (p.groups == 0)
    text += " depthwise";
  else if (p.groups > 1)
    text += fmt::format(" groups {}", p.groups);
  return text + (p.has_residual ? " +residual" : "") + fused(p.activation);
}

std::string describe(const Pool2dParams& p) {
  const std::string name = p.kind == PoolKind::max ? "max_pool" : "average_pool";
  if (p.global) return "global_" + name;
  if (p.bins_h > 0) return fmt::format("{} into {}x{} bins", name, p.bins_h, p.bins_w);
  return name + window(p.kh, p.kw, p.sh, p.sw, p.dh, p.dw);
}

std::string describe(const ResizeParams& p) {
  return fmt::format("resize {}{}", p.mode == ResizeMode::bilinear ? "bilinear" : "nearest",
                     p.coordinates == ResizeCoordinates::align_corners ? " align_corners" : "");
}

std::string describe(const ActivationParams& p) { return std::string(name_of(p)); }

std::string describe(const BinaryParams& p) {
  const std::string name(kBinaries.at(static_cast<std::size_t>(p.kind)));
  return p.has_scalar ? fmt::format("{} {}", name, p.scalar) : name;
}

std::string describe(const FullyConnectedParams& p) { return "fully_connected" + fused(p.activation); }

}  // namespace

std::string describe_op(const OpParams& params) {
  return std::visit(
      [&](const auto& p) -> std::string {
        if constexpr (requires { describe(p); })
          return describe(p);
        else
          return std::string(schema_of(params).name);
      },
      params);
}

}  // namespace atrous::cli
