// SPDX-License-Identifier: Apache-2.0
#include "graph/receptive_field.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace atrous {

Ratio::Ratio(std::int64_t numerator, std::int64_t denominator) {
  const std::int64_t divisor = std::gcd(numerator, denominator);
  over = numerator / divisor, under = denominator / divisor;
}

namespace {

constexpr std::int64_t kMostParts = 64;           ///< of a stride that is no whole number
constexpr std::int64_t kMostPositions = 4096;     ///< of a resize, before they repeat
constexpr std::int64_t kLargestPeriod = 1 << 20;  ///< and numbers of a stride, so that products fit

/// An element i of an operator's output reads its input from step * i + first to step * i + last.
struct Reads {
  Ratio step;
  double first = 0, last = 0;
};

AxisField through(const AxisField& in, const Reads& reads) {
  const double stride = in.stride.value();
  return {in.stride * reads.step, in.low + stride * reads.first, in.high + stride * reads.last};
}

/// A window of k elements d apart at every s-th; with `same` the padding before it depends on the extent.
Reads window(int k, int s, int d, bool same, int before) {
  const int span = d * (k - 1);
  const int least = same ? std::max(0, span + 1 - s) / 2 : before, most = same ? span / 2 : before;
  return {{s, 1}, static_cast<double>(-most), static_cast<double>(span - least)};
}

/// Resizing at a step of input elements an output element. Positions repeat after step.under elements.
Reads resized(const Ratio& step, const ResizeParams& p) {
  const bool half = p.coordinates == ResizeCoordinates::half_pixel, nearest = p.mode == ResizeMode::nearest;
  Reads reads{step, 1e9, -1e9};
  for (std::int64_t i = 0; i < step.under; ++i) {
    const double begin = step.value() * static_cast<double>(i);
    double at = half ? step.value() * (static_cast<double>(i) + 0.5) - 0.5 : begin;
    if (nearest) at = std::floor(at + 0.5);
    reads.first = std::min(reads.first, std::floor(at) - begin);
    reads.last = std::max(reads.last, std::ceil(at) - begin);
  }
  return reads;
}

/// The ratio of small whole numbers that a factor stands for; over is 0 where there is none.
Ratio small_ratio(double factor) {
  Ratio none;
  none.over = 0;
  for (std::int64_t under = 1; under <= kMostParts; ++under) {
    const double over = std::round(factor * static_cast<double>(under));
    if (over >= 1 && std::abs(over / static_cast<double>(under) - factor) < 1e-6 * factor)
      return {static_cast<std::int64_t>(over), under};
  }
  return none;
}

/// One node's field from those of its inputs. An operator without a rule here does not compile.
class Rules {
 public:
  explicit Rules(std::vector<const ReceptiveField*> inputs) : inputs_(std::move(inputs)) {}

  std::string refusal;

  ReceptiveField operator()(const Conv2dParams& p) { return with_residual(convolved(*inputs_[0], p)); }
  ReceptiveField operator()(const PyramidParams& p) {
    const ReceptiveField& in = *inputs_[0];
    ReceptiveField out;
    bool first = true;
    for (std::size_t i = 0; i < p.branches.size(); ++i) {
      if (static_cast<int>(i) == p.pooled) continue;
      const ReceptiveField branch = convolved(in, p.branches[i]);
      out = first ? branch : join(out, branch);
      first = false;
    }
    if (first) out = in;
    out.global = in.global || p.pooled >= 0;
    return out;
  }
  ReceptiveField operator()(const SeparableParams& p) {
    return with_residual(convolved(convolved(*inputs_[0], p.depthwise), p.pointwise));
  }
  ReceptiveField operator()(const Pool2dParams& p) {
    ReceptiveField out = *inputs_[0];
    if (p.global || p.bins_h > 0) return pooled(out);
    if (out.fixed) return out;
    out.rows = through(out.rows, window(p.kh, p.sh, p.dh, p.padding.same, p.padding.top));
    out.columns = through(out.columns, window(p.kw, p.sw, p.dw, p.padding.same, p.padding.left));
    return out;
  }
  ReceptiveField operator()(const ReduceMeanParams& p) {
    return p.over_hw ? pooled(*inputs_[0]) : *inputs_[0];
  }
  ReceptiveField operator()(const ResizeParams& p) {
    ReceptiveField out = *inputs_[0];
    if (p.like) {
      const ReceptiveField& like = *inputs_[1];
      if (like.fixed) return out.fixed ? out : fail_with("gives a map a fixed extent", out);
      if (out.fixed) {
        out.rows = like.rows, out.columns = like.columns;  // everywhere the pooled value, at that stride
        out.fixed = false;
        return out;
      }
      const Ratio row_step = like.rows.stride / out.rows.stride,
                  column_step = like.columns.stride / out.columns.stride;
      if (std::max(row_step.under, column_step.under) > kMostPositions)
        return fail_with("resizes by no ratio of small whole numbers", out);
      out.rows = through(out.rows, resized(row_step, p));
      out.columns = through(out.columns, resized(column_step, p));
      return out;
    }
    if (out.fixed) return out;
    if (p.oh > 0)
      return fail_with(fmt::format("makes a map of {}x{}, whatever the input's extent", p.ow, p.oh), out);
    const Ratio zoom_h = p.shrink > 0 ? Ratio(p.zoom, p.shrink) : small_ratio(p.scale_h),
                zoom_w = p.shrink > 0 ? Ratio(p.zoom, p.shrink) : small_ratio(p.scale_w);
    if (zoom_h.over == 0 || zoom_w.over == 0)
      return fail_with(fmt::format("resizes by {}, no ratio of small whole numbers", p.scale_h), out);
    out.rows = through(out.rows, resized(Ratio() / zoom_h, p));
    out.columns = through(out.columns, resized(Ratio() / zoom_w, p));
    return out;
  }
  ReceptiveField operator()(const PadParams& p) {
    ReceptiveField out = *inputs_[0];
    if (out.fixed) return out;
    out.rows = through(out.rows, {{}, static_cast<double>(-p.top), static_cast<double>(-p.top)});
    out.columns = through(out.columns, {{}, static_cast<double>(-p.left), static_cast<double>(-p.left)});
    return out;
  }
  ReceptiveField operator()(const SliceParams& p) {
    if (p.axis == Axis::c || inputs_[0]->fixed) return *inputs_[0];
    return fail_with("cuts rows or columns at fixed places", *inputs_[0]);
  }
  ReceptiveField operator()(const FullyConnectedParams&) {
    if (inputs_[0]->fixed) return *inputs_[0];
    return fail_with("is a fully connected layer over the map", *inputs_[0]);
  }
  ReceptiveField operator()(const TemplateMorphParams&) {
    return fail_with("pastes templates into the whole input", *inputs_[0]);
  }
  ReceptiveField operator()(const BinaryParams&) { return joined(); }
  ReceptiveField operator()(const ConcatParams&) { return joined(); }
  ReceptiveField operator()(const InputParams&) { return {}; }
  ReceptiveField operator()(std::monostate) { return {}; }
  template <typename EachElementAlone>
  requires std::is_same_v<EachElementAlone, BatchNormParams> ||
      std::is_same_v<EachElementAlone, ActivationParams> || std::is_same_v<EachElementAlone, SoftmaxParams> ||
      std::is_same_v<EachElementAlone, ArgmaxParams> || std::is_same_v<EachElementAlone, LrnParams> ||
      std::is_same_v<EachElementAlone, IdentityParams> || std::is_same_v<EachElementAlone, ConvertParams>
          ReceptiveField operator()(const EachElementAlone&) {
    return *inputs_[0];
  }

 private:
  ReceptiveField fail_with(std::string reason, const ReceptiveField& field) {
    refusal = std::move(reason);
    return field;
  }

  static ReceptiveField pooled(ReceptiveField field) {
    field.global = field.fixed = true;
    return field;
  }

  static ReceptiveField convolved(ReceptiveField field, const Conv2dParams& p) {
    if (field.fixed) return field;
    field.rows = through(field.rows, window(p.kh, p.sh, p.dh, p.padding.same, p.padding.top));
    field.columns = through(field.columns, window(p.kw, p.sw, p.dw, p.padding.same, p.padding.left));
    return field;
  }

  AxisField join(const AxisField& a, const AxisField& b) {
    if (!(a.stride == b.stride))
      refusal = fmt::format("joins maps of strides {} and {}", a.stride.value(), b.stride.value());
    return {a.stride, std::min(a.low, b.low), std::max(a.high, b.high)};
  }

  /// What depends on both; a pooled value is broadcast.
  ReceptiveField join(const ReceptiveField& a, const ReceptiveField& b) {
    ReceptiveField out = a.fixed ? b : a;
    out.global = a.global || b.global;
    if (!a.fixed && !b.fixed) out.rows = join(a.rows, b.rows), out.columns = join(a.columns, b.columns);
    return out;
  }

  ReceptiveField with_residual(ReceptiveField out) {
    for (std::size_t i = 1; i < inputs_.size(); ++i) out = join(out, *inputs_[i]);
    return out;
  }
  ReceptiveField joined() { return with_residual(*inputs_[0]); }

  std::vector<const ReceptiveField*> inputs_;
};

/// Makes the period one of this stride too; false where it gets out of hand.
bool extend_period(std::int64_t& period, const Ratio& stride) {
  period = std::lcm(period, stride.over);
  return period <= kLargestPeriod && stride.under <= kLargestPeriod;
}

}  // namespace

ReceptiveFields receptive_fields(const Graph& graph) {
  ReceptiveFields result;
  result.values.reserve(static_cast<std::size_t>(graph.size()));
  for (const Node& node : graph.nodes()) {
    std::vector<const ReceptiveField*> inputs;
    for (int input : node.inputs) inputs.push_back(&result.values[static_cast<std::size_t>(input)]);
    Rules rules(std::move(inputs));
    ReceptiveField field = std::visit(rules, node.params);
    if (rules.refusal.empty() && !field.fixed &&
        !(extend_period(result.row_period, field.rows.stride) &&
          extend_period(result.column_period, field.columns.stride) &&
          std::lcm(result.row_period, result.column_period) <= kLargestPeriod))
      rules.refusal = "has a stride that no window can follow";
    if (!rules.refusal.empty()) {
      result.refusal = fmt::format("node '{}' {}", node.name, rules.refusal);
      return result;
    }
    result.values.push_back(field);
  }
  return result;
}

bool resizes_alike(const Graph& graph, const ReceptiveFields& fields, const Shape& a, const Shape& b) {
  const std::vector<Shape> shapes_a = infer_shapes(graph, a), shapes_b = infer_shapes(graph, b);
  for (int i = 0; i < graph.size(); ++i) {
    const auto* p = std::get_if<ResizeParams>(&graph.node(i).params);
    if (p == nullptr) continue;
    const auto in = static_cast<std::size_t>(graph.node(i).inputs[0]), out = static_cast<std::size_t>(i);
    if (fields.values[in].fixed) continue;
    const std::int64_t corner = p->coordinates == ResizeCoordinates::align_corners ? 1 : 0;
    auto alike = [&](std::int64_t Shape::*axis) {
      return (shapes_a[in].*axis - corner) * (shapes_b[out].*axis - corner) ==
             (shapes_b[in].*axis - corner) * (shapes_a[out].*axis - corner);
    };
    if (!alike(&Shape::h) || !alike(&Shape::w)) return false;
  }
  return true;
}

}  // namespace atrous
