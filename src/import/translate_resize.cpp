// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "core/error.h"
#include "import/translations.h"

namespace atrous {
namespace {

/// What a Resize or an Upsample asks for along height and width: an extent, and the factor by which it was
/// asked for.
struct Target {
  std::int64_t h, w;
  float scale_h = 0, scale_w = 0;  ///< 0: the extent itself was given
};

Target target_of(const NodeContext& c) {
  const bool upsample = c.onnx.op == "Upsample" || c.opset < 11;
  const std::size_t at = upsample ? 1 : 2;
  const Shape& in = c.shape(0);
  Target target{in.h, in.w};
  const Dims dims = c.dims(0);
  auto numbers = [&](std::size_t input) {
    const Array* array = c.constant(input);
    return array == nullptr || array->count() == 0 ? std::optional<Array>() : std::optional(*array);
  };
  std::optional<Array> scales = numbers(at);
  const std::optional<Array> sizes = upsample ? std::nullopt : numbers(3);
  if (const OnnxAttribute* old = c.onnx.find("scales"); old != nullptr && !scales)
    scales = Array::reals({static_cast<std::int64_t>(old->reals.size())}, old->reals);
  Dims axes = c.onnx.integers("axes");
  if (axes.empty())
    for (std::size_t i = 0; i < dims.size(); ++i) axes.push_back(static_cast<std::int64_t>(i));
  const Array* given = sizes ? &*sizes : scales ? &*scales : nullptr;
  if (given == nullptr) NodeContext::refuse("sizes or scales that are constant or made of extents");
  if (given->count() != static_cast<std::int64_t>(axes.size()))
    fail(ErrorCode::bad_file, "has {} sizes or scales for {} axes", given->count(), axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::size_t axis = axis_index(axes[i], dims.size());
    const double value = given->at(static_cast<std::int64_t>(i));
    const std::string& letters = c.value(0).layout[axis];
    const bool h = letters == "h";
    if (!h && letters != "w") {
      if (value != (sizes ? static_cast<double>(dims[axis]) : 1))
        NodeContext::refuse("a resize of height and width");
      continue;
    }
    if (!(value > 0) || value > 65536) fail(ErrorCode::bad_file, "resizes an axis to or by {}", value);
    (h ? target.h : target.w) =
        static_cast<std::int64_t>(sizes ? value : std::floor(value * static_cast<double>(dims[axis])));
    if (!sizes) (h ? target.scale_h : target.scale_w) = static_cast<float>(value);
  }
  if (!sizes && target.scale_h == 0) target.scale_h = 1;
  if (!sizes && target.scale_w == 0) target.scale_w = 1;
  return target;
}

bool is_whole_factor(std::int64_t in, std::int64_t out) { return out % in == 0; }

/// Whether the positions that are read are those of the engine's half_pixel; `exact`: the factor is out / in.
bool reads_half_pixel(const NodeContext& c, const Target& t, const std::string& mode,
                      const std::string& coordinates, const std::string& rounding, bool exact) {
  const Shape& in = c.shape(0);
  const bool whole = is_whole_factor(in.h, t.h) && is_whole_factor(in.w, t.w);
  if (mode == "linear") {
    const bool single =
        (t.h == 1 && in.h > 1) || (t.w == 1 && in.w > 1);  // pytorch_half_pixel reads the first one then
    return exact && (coordinates == "half_pixel" || coordinates == "half_pixel_symmetric" ||
                     (coordinates == "pytorch_half_pixel" && !single));
  }
  if (coordinates == "tf_half_pixel_for_nn") return exact && rounding == "floor";
  if (coordinates == "asymmetric") return whole && exact && rounding == "floor";
  if (coordinates != "half_pixel" && coordinates != "half_pixel_symmetric" &&
      coordinates != "pytorch_half_pixel")
    return false;
  return exact && (rounding == "round_prefer_ceil" || (rounding == "round_prefer_floor" && whole));
}

}  // namespace

void translate_resize(NodeContext& c) {
  const OnnxValue x = c.value(0);
  const Target t = target_of(c);
  const Shape in = c.shape(0);
  std::string mode = c.onnx.text("mode", "nearest");
  if (mode == "bilinear") mode = "linear";
  const bool old = c.opset < 11 || c.onnx.op == "Upsample";
  const std::string coordinates =
                        old ? "asymmetric" : c.onnx.text("coordinate_transformation_mode", "half_pixel"),
                    rounding = old ? "floor" : c.onnx.text("nearest_mode", "round_prefer_floor");
  if (mode != "linear" && mode != "nearest")
    NodeContext::refuse("mode linear or nearest, not " + mode.substr(0, 40));
  if (c.onnx.integer("antialias", 0) != 0) NodeContext::refuse("antialias 0");
  if (c.onnx.text("keep_aspect_ratio_policy", "stretch") != "stretch")
    NodeContext::refuse("keep_aspect_ratio_policy stretch");
  auto exact_along = [](std::int64_t from, std::int64_t to, float scale) {
    return scale == 0 || static_cast<double>(to) == static_cast<double>(from) * scale;
  };
  const bool exact = exact_along(in.h, t.h, t.scale_h) && exact_along(in.w, t.w, t.scale_w),
             spread = in.h == 1 && in.w == 1, corners = coordinates == "align_corners";
  const bool by_corners = corners && (mode == "linear" || rounding == "round_prefer_ceil");
  if (!exact && coordinates != "align_corners" && !spread)
    fail(ErrorCode::bad_config, "scales {}x{} by factors that leave a fraction", in.h, in.w);
  if (!spread && !by_corners && !reads_half_pixel(c, t, mode, coordinates, rounding, exact))
    NodeContext::refuse(fmt::format(
        "linear with half_pixel, pytorch_half_pixel or align_corners, nearest with asymmetric and floor by a "
        "whole factor, or with half_pixel and round_prefer_ceil, not {} with {}{}",
        mode, coordinates.substr(0, 40), mode == "nearest" ? " and " + rounding.substr(0, 40) : ""));
  if (t.h == in.h && t.w == in.w && t.scale_h != 0) return c.pass(x.layout);
  Keys keys;
  if (t.scale_h != 0)
    keys.emplace_back("scale", t.scale_h == t.scale_w ? number(t.scale_h)
                                                      : Value::list({number(t.scale_h), number(t.scale_w)}));
  else
    keys.emplace_back("size", pair_of(t.h, t.w));
  if (mode == "nearest") keys.emplace_back("mode", Value::text("nearest"));
  if (by_corners && !spread) keys.emplace_back("coordinates", Value::text("align_corners"));
  c.result(c.emit("resize", {x.node}, std::move(keys)), x.layout);
}

}  // namespace atrous
