// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tile_plan.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "graph/builder.h"

namespace atrous {
namespace {

constexpr std::int64_t kMostTiledPixels = std::int64_t{1} << 30;

/// The largest multiple of `step` that is not above `value`, which is at least 0.
int align_down(int value, int step) { return value / step * step; }
/// value modulo step, at least 0.
int remainder(int value, int step) { return (value % step + step) % step; }

/// One axis of a pass: the photo at `scaled` pixels in an input of `extent`.
struct PassAxis {
  int scaled, extent;
  bool mirrored;
};

struct AxisWindows {
  int window = 0;
  std::vector<int> begins;
};

struct AxisPlan {
  std::vector<Interval> taken, seen;
  std::vector<AxisWindows> passes;

  int largest_window() const {
    int largest = 0;
    for (const AxisWindows& pass : passes) largest = std::max(largest, pass.window);
    return largest;
  }
};

/// Where the pixels `seen` of the photo lie in a pass's input, with the padding beyond the photo's end.
Interval in_input(const Interval& seen, int photo, const PassAxis& axis) {
  const double zoom = static_cast<double>(axis.scaled) / photo;
  Interval at{static_cast<int>(std::floor(seen.begin * zoom)), static_cast<int>(std::ceil(seen.end * zoom))};
  if (axis.mirrored) at = {axis.scaled - at.end, axis.scaled - at.begin};
  if (at.end >= axis.scaled) at.end = axis.extent;
  return {std::max(at.begin, 0), at.end};
}

/// Windows of one extent, each of which covers its part of the photo and `margin` around.
AxisWindows place_windows(std::span<const Interval> taken, int photo, const PassAxis& axis, int period,
                          int margin) {
  AxisWindows result;
  for (const Interval& interval : taken) {
    const Interval inner = in_input(interval, photo, axis);
    result.begins.push_back(align_down(std::max(0, inner.begin - margin), period));
    result.window = std::max(result.window, std::min(inner.end + margin, axis.extent) - result.begins.back());
  }
  // strides divide a window as they divide the whole input
  result.window = std::min(result.window + remainder(axis.extent - result.window, period), axis.extent);
  for (int& begin : result.begins) begin = std::min(begin, axis.extent - result.window);
  return result;
}

/// The photo's axis cut in the middle of what neighbouring windows of at most `most` share, `overlap` and
/// what rounding to whole pixels may take of it.
std::vector<Interval> cut(int photo, const PassAxis& axis, int period, int most, int overlap) {
  if (axis.extent <= most) return {{0, photo}};
  const int window = most - remainder(most - axis.extent, period), zoom = (axis.scaled + photo - 1) / photo,
            step = std::max(period, align_down(std::max(0, window - overlap - 2 - 2 * zoom), period)),
            room = axis.extent - window;
  const int tiles = (room + step - 1) / step + 1;
  std::vector<Interval> result;
  int end_before = 0, begin_before = 0;
  for (int i = 1; i <= tiles; ++i) {
    const int begin =
        static_cast<int>(align_down(static_cast<int>(std::int64_t{room} * i / (tiles - 1)), period));
    const double middle = (static_cast<double>(begin_before) + begin + window) / 2;
    const int end =
        i == tiles ? photo : std::min(photo, static_cast<int>(std::round(middle * photo / axis.scaled)));
    if (end > end_before) result.push_back({end_before, end});
    end_before = end, begin_before = begin;
  }
  return result;
}

AxisPlan plan_axis(int photo, std::span<const PassAxis> axes, int period, int size, int overlap) {
  const PassAxis& finest = *std::max_element(
      axes.begin(), axes.end(), [](const PassAxis& a, const PassAxis& b) { return a.extent < b.extent; });
  // half an overlap, in pixels of the photo
  const int around = static_cast<int>(std::ceil(overlap / 2.0 * photo / finest.scaled));
  AxisPlan plan;
  for (int most = size; most == size || most - overlap >= 2 * period; most -= period) {
    plan = {};
    plan.taken = cut(photo, finest, period, most, overlap);
    for (const Interval& taken : plan.taken)
      plan.seen.push_back({std::max(0, taken.begin - around), std::min(photo, taken.end + around)});
    for (const PassAxis& axis : axes)
      plan.passes.push_back(place_windows(plan.taken, photo, axis, period, (overlap + 1) / 2));
    if (plan.largest_window() <= size) break;  // what rounding and mirroring add fits too
  }
  return plan;
}

TilePlan plan_passes(const InputSpec& input, int width, int height, std::span<const double> scales, bool flip,
                     std::int64_t most_pixels) {
  TilePlan plan;
  for (double scale : scales)
    for (bool mirrored : {false, true}) {
      if (mirrored && !flip) continue;
      const Geometry geometry = plan_geometry(input, width, height, scale, most_pixels);
      plan.passes.push_back({geometry, mirrored, geometry.width, geometry.height, {0}, {0}});
    }
  plan.columns = plan.seen_columns = {{0, width}};
  plan.rows = plan.seen_rows = {{0, height}};
  return plan;
}

const ReceptiveField& field_of_scores(const Graph& graph, const ReceptiveFields& fields) {
  return fields.values[static_cast<std::size_t>(graph.outputs()[0])];
}

InputSpec at_own_size(InputSpec input) {
  input.policy = SizePolicy::native;
  return input;
}

}  // namespace

TilePlan whole_photo(const InputSpec& input, int width, int height, std::span<const double> scales,
                     bool flip) {
  return plan_passes(input, width, height, scales, flip, kMostInputPixels);
}

TileNeeds tile_needs(const Graph& graph, const ReceptiveFields& fields, const Shape& nominal) {
  TileNeeds needs;
  needs.field = field_of_scores(graph, fields);
  needs.period = static_cast<int>(std::lcm(fields.row_period, fields.column_period));
  const Shape scores = infer_shapes(graph, nominal)[static_cast<std::size_t>(graph.outputs()[0])];
  // A pixel reads two elements of the scores, less than two strides away, and where these do not divide the
  // input evenly, further by what is left; rounding to pixels takes the rest.
  auto reach = [](const AxisField& axis, std::int64_t input, std::int64_t of_scores) {
    const double stride = axis.stride.value();
    return std::max(-axis.low, axis.high) + 2 * stride +
           std::abs(stride * static_cast<double>(of_scores) - static_cast<double>(input)) + 2;
  };
  constexpr double kLargestOverlap = 1e9;  // more pixels than any input has
  const double most =
      std::max(reach(needs.field.rows, nominal.h, scores.h), reach(needs.field.columns, nominal.w, scores.w));
  const int least = static_cast<int>(std::min(std::ceil(2 * most), kLargestOverlap));
  needs.overlap = (least + needs.period - 1) / needs.period * needs.period;
  return needs;
}

Tiling::Tiling(const Graph& graph, const InputSpec& input, const TileOptions& options)
    : graph_(graph), input_(at_own_size(input)), fields_(receptive_fields(graph)), size_(options.size) {
  if (fields_.refusal.empty() && field_of_scores(graph, fields_).fixed)
    fields_.refusal = "its scores do not grow with the input";
  if (!fields_.refusal.empty())
    fail(ErrorCode::unsupported, "tiles cannot go through this network: {}", fields_.refusal);
  needs_ = tile_needs(graph, fields_, nominal_input(input));
  const int period = needs_.period;
  if (size_ < 4 * period)
    fail(ErrorCode::invalid_argument,
         "tiles of {} pixels are too small: this network's stride is {}, so {} at least", size_, period,
         4 * period);
  const bool attainable = !needs_.field.global && needs_.overlap <= size_ / 2;
  overlap_ = options.overlap.value_or(attainable ? needs_.overlap : std::min(needs_.overlap, size_ / 4));
  if (overlap_ < 0 || overlap_ > size_ - 2 * period)
    fail(ErrorCode::invalid_argument,
         "an overlap of {} leaves nothing of tiles of {} pixels: between 0 and {} (the network's stride is "
         "{})",
         overlap_, size_, size_ - 2 * period, period);
}

TilePlan Tiling::plan_as(const InputSpec& input, int width, int height, std::span<const double> scales,
                         bool flip) const {
  TilePlan plan = plan_passes(input, width, height, scales, flip, kMostTiledPixels);
  std::vector<PassAxis> columns, rows;
  for (const Pass& pass : plan.passes) {
    columns.push_back({pass.geometry.scaled_width, pass.geometry.width, pass.flip});
    rows.push_back({pass.geometry.scaled_height, pass.geometry.height, false});
  }
  AxisPlan x = plan_axis(width, columns, needs_.period, size_, overlap_),
           y = plan_axis(height, rows, needs_.period, size_, overlap_);
  plan.columns = std::move(x.taken), plan.seen_columns = std::move(x.seen);
  plan.rows = std::move(y.taken), plan.seen_rows = std::move(y.seen);
  for (std::size_t i = 0; i < plan.passes.size(); ++i) {
    Pass& pass = plan.passes[i];
    pass.window_width = x.passes[i].window, pass.columns = std::move(x.passes[i].begins);
    pass.window_height = y.passes[i].window, pass.rows = std::move(y.passes[i].begins);
  }
  plan.column_stride = needs_.field.columns.stride, plan.row_stride = needs_.field.rows.stride;
  return plan;
}

TilePlan Tiling::plan(int width, int height, std::span<const double> scales, bool flip) const {
  auto resizes_as_whole = [&](const TilePlan& plan) {
    return std::all_of(plan.passes.begin(), plan.passes.end(), [&](const Pass& pass) {
      return resizes_alike(graph_, fields_, {1, pass.geometry.height, pass.geometry.width, 3},
                           {1, pass.window_height, pass.window_width, 3});
    });
  };
  TilePlan plan = plan_as(input_, width, height, scales, flip);
  if (resizes_as_whole(plan)) return plan;
  // resizes within the network keep their steps where strides divide the input, or all of it but a corner
  InputSpec padded = input_;
  padded.multiple = std::lcm(input_.multiple, needs_.period);
  for (padded.offset = 0; padded.offset <= 1; ++padded.offset) {
    TilePlan other = plan_as(padded, width, height, scales, flip);
    if (resizes_as_whole(other)) return other;
  }
  return plan;
}

std::string Tiling::note() const {
  if (needs_.field.global)
    return "the network pools over its whole input, here over a tile: labels can differ from those of the "
           "whole photo";
  if (overlap_ < needs_.overlap)
    return fmt::format(
        "tiles overlap by {} pixels, from {} on they equal the whole photo (the receptive field): labels can "
        "differ between tiles",
        overlap_, needs_.overlap);
  return "";
}

}  // namespace atrous
