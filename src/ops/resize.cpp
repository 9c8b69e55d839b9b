// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "core/error.h"
#include "ops/cost.h"
#include "ops/window.h"

namespace atrous {
namespace {

constexpr std::string_view kNames[] = {"resize"};

OpParams parse(std::string_view, Fields& fields) {
  ResizeParams p;
  const std::string mode = fields.text("mode", "bilinear"),
                    coordinates = fields.text("coordinates", "half_pixel");
  if (mode != "bilinear" && mode != "nearest")
    fields.complain("'mode' must be bilinear or nearest, not '" + mode + "'");
  if (coordinates != "half_pixel" && coordinates != "align_corners")
    fields.complain("'coordinates' must be half_pixel or align_corners, not '" + coordinates + "'");
  p.mode = mode == "bilinear" ? ResizeMode::bilinear : ResizeMode::nearest;
  p.coordinates =
      coordinates == "half_pixel" ? ResizeCoordinates::half_pixel : ResizeCoordinates::align_corners;
  p.like = fields.boolean("like", false);
  const std::vector<double> scale = fields.numbers("scale");
  const bool interp = fields.has("shrink") || fields.has("zoom");
  if ((p.like ? 1 : 0) + (fields.has("size") ? 1 : 0) + (scale.empty() ? 0 : 1) + (interp ? 1 : 0) != 1)
    fields.complain("needs exactly one of 'size', 'scale', 'like', and 'shrink' or 'zoom'");
  if (interp) {
    p.shrink = static_cast<int>(fields.integer_in("shrink", 1, 1024, 1));
    p.zoom = static_cast<int>(fields.integer_in("zoom", 1, 1024, 1));
  }
  if (!scale.empty()) {
    p.scale_h = static_cast<float>(scale.front()), p.scale_w = static_cast<float>(scale.back());
    if (scale.size() > 2 || p.scale_h < 1.0F / 1024 || p.scale_w < 1.0F / 1024 || p.scale_h > 1024 ||
        p.scale_w > 1024)
      fields.complain("'scale' must be one number or [h, w], each between 1/1024 and 1024");
  }
  const Pair size = parse_pair(fields, "size", 0, 1, 65536);
  p.oh = size.h, p.ow = size.w;
  return p;
}

std::vector<ConstantSpec> constants(const OpParams&, std::span<const Shape>) { return {}; }

Shape infer_shape(const OpParams& params, std::span<const Shape> inputs) {
  const auto& p = std::get<ResizeParams>(params);
  const Shape& in = inputs[0];
  if (p.like != (inputs.size() == 2))
    fail(ErrorCode::bad_config,
         "'like: true' takes two inputs (what to resize, and what to resize it like), without it one");
  if (p.like) return {in.n, inputs[1].h, inputs[1].w, in.c};
  if (p.oh > 0) return {in.n, p.oh, p.ow, in.c};
  if (p.shrink > 0)
    return {in.n, (in.h - 1) / p.shrink * p.zoom + 1, (in.w - 1) / p.shrink * p.zoom + 1, in.c};
  return {in.n, static_cast<std::int64_t>(std::floor(static_cast<double>(in.h) * p.scale_h)),
          static_cast<std::int64_t>(std::floor(static_cast<double>(in.w) * p.scale_w)), in.c};
}

Cost cost(const OpParams& params, std::span<const Shape> inputs, const Shape& output) {
  return elementwise_cost(inputs.first(1), output,
                          std::get<ResizeParams>(params).mode == ResizeMode::bilinear ? 8 : 0);
}

}  // namespace

const OpSchema& schema_resize() {
  static constexpr OpSchema kSchema{"resize", kNames, 1, 2, parse, constants, infer_shape, cost};
  return kSchema;
}

}  // namespace atrous
