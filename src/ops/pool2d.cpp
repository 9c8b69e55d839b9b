// SPDX-License-Identifier: Apache-2.0
#include "core/error.h"
#include "ops/cost.h"
#include "ops/window.h"

namespace atrous {
namespace {

constexpr std::string_view kNames[] = {"max_pool",          "average_pool",
                                       "global_max_pool",   "global_average_pool",
                                       "adaptive_max_pool", "adaptive_average_pool"};

OpParams parse(std::string_view name, Fields& fields) {
  Pool2dParams p;
  p.kind = name.find("max") != name.npos ? PoolKind::max : PoolKind::average;
  if (name.starts_with("global")) {
    p.global = true;
  } else if (name.starts_with("adaptive")) {
    fields.require("bins");
    const Pair bins = parse_pair(fields, "bins", 1, 1, kMaxWindow);
    p.bins_h = bins.h, p.bins_w = bins.w;
  } else {
    fields.require("kernel");
    const Pair kernel = parse_pair(fields, "kernel", 1, 1, kMaxWindow),
               stride = parse_pair(fields, "stride", 1, 1, kMaxWindow),
               dilation = parse_pair(fields, "dilation", 1, 1, kMaxDilation);
    p.kh = kernel.h, p.kw = kernel.w, p.sh = stride.h, p.sw = stride.w, p.dh = dilation.h, p.dw = dilation.w;
    p.padding = parse_padding(fields, 0, 0);
    p.ceil_mode = fields.boolean("ceil_mode", false);
    if (p.kind == PoolKind::average) p.count_include_pad = fields.boolean("count_include_pad", false);
    const int window_h = p.dh * (p.kh - 1) + 1, window_w = p.dw * (p.kw - 1) + 1;
    if (p.padding.top >= window_h || p.padding.bottom >= window_h || p.padding.left >= window_w ||
        p.padding.right >= window_w)
      fields.complain("'padding' must be smaller than the window");
  }
  return p;
}

std::vector<ConstantSpec> constants(const OpParams&, std::span<const Shape>) { return {}; }

Shape infer_shape(const OpParams& params, std::span<const Shape> inputs) {
  const auto& p = std::get<Pool2dParams>(params);
  const Shape& in = inputs[0];
  if (p.global) return {in.n, 1, 1, in.c};
  if (p.bins_h > 0) return {in.n, p.bins_h, p.bins_w, in.c};
  const Padding pad = resolve_padding(p.padding, in, p.kh, p.kw, p.sh, p.sw, p.dh, p.dw);
  return {in.n, window_extent(in.h, p.kh, p.sh, p.dh, pad.top, pad.bottom, p.ceil_mode),
          window_extent(in.w, p.kw, p.sw, p.dw, pad.left, pad.right, p.ceil_mode), in.c};
}

Cost cost(const OpParams& params, std::span<const Shape> inputs, const Shape& output) {
  const auto& p = std::get<Pool2dParams>(params);
  const bool whole = p.global || p.bins_h > 0;
  const double window =
      whole ? static_cast<double>(inputs[0].elements()) / static_cast<double>(output.elements())
            : static_cast<double>(p.kh) * p.kw;
  return elementwise_cost(inputs, output, window);
}

}  // namespace

const OpSchema& schema_pool2d() {
  static constexpr OpSchema kSchema{"pool2d", kNames, 1, 1, parse, constants, infer_shape, cost};
  return kSchema;
}

}  // namespace atrous
