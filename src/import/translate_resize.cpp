// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <string>

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
    if (value == (sizes ? static_cast<double>(dims[axis]) : 1)) continue;
    const char letter = c.letter(0, axes[i]);
    if (letter != 'h' && letter != 'w') NodeContext::refuse("a resize of height and width");
    const bool h = letter == 'h';
    if (!(value > 0) || value > 65536) fail(ErrorCode::bad_file, "resizes an axis to or by {}", value);
    (h ? target.h : target.w) =
        static_cast<std::int64_t>(sizes ? value : std::floor(value * static_cast<double>(dims[axis])));
    if (!sizes) (h ? target.scale_h : target.scale_w) = static_cast<float>(value);
  }
  if (!sizes && target.scale_h == 0) target.scale_h = 1;
  if (!sizes && target.scale_w == 0) target.scale_w = 1;
  return target;
}

/// How a resize finds the pixels that it reads, in ONNX's words, and how its extents are related in this
/// case.
struct Rule {
  std::string mode, coordinates, rounding;
  bool exact;   ///< the factor is out / in: with scales a fraction may be lost
  bool whole;   ///< a whole number of pixels becomes of each
  bool single;  ///< an axis shrinks to one pixel, for which pytorch_half_pixel reads the first
};

Rule rule_of(const NodeContext& c, const Target& t) {
  const bool old = c.opset < 11 || c.onnx.op == "Upsample";
  const Shape& in = c.shape(0);
  auto exact = [](std::int64_t from, std::int64_t to, float scale) {
    return scale == 0 || static_cast<double>(to) == static_cast<double>(from) * scale;
  };
  const std::string mode = c.onnx.text("mode", "nearest");
  return {mode == "bilinear" ? "linear" : mode,
          old ? "asymmetric" : c.onnx.text("coordinate_transformation_mode", "half_pixel"),
          old ? "floor" : c.onnx.text("nearest_mode", "round_prefer_floor"),
          exact(in.h, t.h, t.scale_h) && exact(in.w, t.w, t.scale_w),
          t.h % in.h == 0 && t.w % in.w == 0,
          (t.h == 1 && in.h > 1) || (t.w == 1 && in.w > 1)};
}

bool reads_corners(const Rule& r) {
  return r.coordinates == "align_corners" && (r.mode == "linear" || r.rounding == "round_prefer_ceil");
}

/// Whether it reads what the engine's half_pixel does.
bool reads_half_pixel(const Rule& r) {
  if (r.coordinates == "tf_half_pixel_for_nn") return r.mode == "nearest" && r.exact && r.rounding == "floor";
  if (r.coordinates == "asymmetric")
    return r.mode == "nearest" && r.whole && r.exact && r.rounding == "floor";
  const bool torch = r.coordinates == "pytorch_half_pixel";
  if (r.coordinates != "half_pixel" && r.coordinates != "half_pixel_symmetric" && !torch) return false;
  if (!r.exact || (torch && r.single)) return false;
  return r.mode == "linear" || r.rounding == "round_prefer_ceil" ||
         (r.rounding == "round_prefer_floor" && r.whole);
}

/// Refuses a rule that is not the engine's; bad_config where it would be for other extents.
void check_rule(const Rule& r) {
  if (reads_corners(r) || reads_half_pixel(r)) return;
  if (reads_half_pixel({r.mode, r.coordinates, r.rounding, true, true, false}))
    fail(ErrorCode::bad_config, "{} with {} at a factor that is {}", r.mode, r.coordinates,
         r.exact ? "not whole" : "not that of the extents");
  NodeContext::refuse(fmt::format(
      "linear with half_pixel, pytorch_half_pixel or align_corners, nearest with asymmetric and floor by a "
      "whole factor, or with half_pixel and round_prefer_ceil, not {} with {}{}",
      r.mode, r.coordinates.substr(0, 40), r.mode == "nearest" ? " and " + r.rounding.substr(0, 40) : ""));
}

}  // namespace

void translate_resize(NodeContext& c) {
  const OnnxValue x = c.value(0);
  const Target t = target_of(c);
  const Rule rule = rule_of(c, t);
  const Shape in = c.shape(0);
  if (rule.mode != "linear" && rule.mode != "nearest")
    NodeContext::refuse("mode linear or nearest, not " + rule.mode.substr(0, 40));
  if (c.onnx.integer("antialias", 0) != 0) NodeContext::refuse("antialias 0");
  if (c.onnx.text("keep_aspect_ratio_policy", "stretch") != "stretch")
    NodeContext::refuse("keep_aspect_ratio_policy stretch");
  const bool spread = in.h == 1 && in.w == 1;  // is the same by every rule
  if (!spread) check_rule(rule);
  if (t.h == in.h && t.w == in.w && t.scale_h != 0) return c.pass(x.layout);
  Keys keys;
  if (t.scale_h != 0)
    keys.emplace_back("scale", t.scale_h == t.scale_w ? number(t.scale_h)
                                                      : Value::list({number(t.scale_h), number(t.scale_w)}));
  else
    keys.emplace_back("size", pair_of(t.h, t.w));
  if (rule.mode == "nearest") keys.emplace_back("mode", Value::text("nearest"));
  if (reads_corners(rule) && !spread) keys.emplace_back("coordinates", Value::text("align_corners"));
  const bool usual = x.layout.is(in, {"n", "c", "h", "w"});
  c.result(c.emit("resize", {x.node}, std::move(keys)), usual ? Layout::nchw() : x.layout);
}

}  // namespace atrous
