// SPDX-License-Identifier: Apache-2.0
#include "pipeline/segmenter.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/parallel.h"
#include "core/stopwatch.h"
#include "pipeline/template_values.h"
#include "refine/dense_crf.h"
#include "refine/scores.h"
#include "refine/superpixel.h"

namespace atrous {
namespace {

/// Of a photo in tiles.
constexpr std::size_t kMostProbabilities = std::size_t{1} << 30;

/// Mirrored scores have left and right classes the wrong way round.
void swap_pairs(ScoreMap& scores, const LabelSet& set) {
  for (std::size_t i = 0; i < scores.pixels(); ++i)
    for (auto [a, b] : set.flip_pairs) std::swap(scores.pixel(i)[a], scores.pixel(i)[b]);
}

void fuse(ScoreMap& fused, ScoreMap scores, Fusion fusion) {
  if (fused.values.empty()) {
    fused = std::move(scores);
    return;
  }
  for (std::size_t i = 0; i < fused.values.size(); ++i)
    fused.values[i] = fusion == Fusion::max ? std::max(fused.values[i], scores.values[i])
                                            : fused.values[i] + scores.values[i];
}

Crop rectangle(const Interval& columns, const Interval& rows) {
  return {columns.begin, rows.begin, columns.size(), rows.size()};
}

/// What the window at (left, top) of a pass's input shows of the scaled photo.
Crop window_of(const Pass& pass, int left, int top) {
  const Geometry& g = pass.geometry;
  const int right = std::min(left + pass.window_width, g.scaled_width),
            bottom = std::min(top + pass.window_height, g.scaled_height);
  return {pass.flip ? g.scaled_width - right : left, top, right - left, bottom - top};
}

/// How the pixels `seen` of the photo read the scores `shape` of the window at `corner`.
PhotoSampling sample_tile(const TilePlan& plan, const Pass& pass, const Shape& shape, bool align_corners,
                          const Crop& corner, const Crop& seen) {
  const Geometry& g = pass.geometry;
  auto elements = [](int pixels, const Ratio& stride) {
    return static_cast<int>(pixels * stride.under / stride.over);
  };
  PhotoSampling sampling = sample_logits(
      g, shape.w + elements(g.width - pass.window_width, plan.column_stride),
      shape.h + elements(g.height - pass.window_height, plan.row_stride), align_corners, pass.flip);
  sampling.columns.first = pass.flip ? sampling.width - seen.x - seen.width : seen.x;
  sampling.rows.first = seen.y;
  sampling.columns.origin = elements(corner.x, plan.column_stride);
  sampling.rows.origin = elements(corner.y, plan.row_stride);
  sampling.width = seen.width, sampling.height = seen.height;
  return sampling;
}

/// The result of a photo before tiles are pasted into it; no probabilities where `classes` is 0.
void start_pasting(SegmentResult& whole, int width, int height, int classes) {
  const auto pixels = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
  const auto values = pixels * static_cast<std::size_t>(classes);
  if (values > kMostProbabilities)
    fail(ErrorCode::invalid_argument,
         "probabilities of {} classes for {}x{} pixels take {:.1f} GB of memory, {:.1f} are allowed; labels "
         "alone take {:.1f}",
         classes, width, height, static_cast<double>(values) * 4e-9,
         static_cast<double>(kMostProbabilities) * 4e-9, static_cast<double>(pixels) * 1e-9);
  whole.labels = {width, height, std::vector<std::uint8_t>(pixels)};
  whole.probabilities = {width, height, classes, std::vector<float>(values)};
}

/// Pixels `taken` of the photo from a piece that holds its pixels `seen`.
void paste(SegmentResult& whole, const SegmentResult& piece, const Crop& taken, const Crop& seen) {
  const auto width = static_cast<std::size_t>(taken.width);
  const int classes = piece.probabilities.classes;
  for (int y = taken.y; y < taken.y + taken.height; ++y) {
    const auto from = static_cast<std::size_t>(y - seen.y) * static_cast<std::size_t>(seen.width) +
                      static_cast<std::size_t>(taken.x - seen.x),
               to = static_cast<std::size_t>(y) * static_cast<std::size_t>(whole.labels.width) +
                    static_cast<std::size_t>(taken.x);
    std::copy_n(piece.labels.ids.data() + from, width, whole.labels.ids.data() + to);
    if (!piece.probabilities.values.empty())
      std::copy_n(piece.probabilities.pixel(from), width * static_cast<std::size_t>(classes),
                  whole.probabilities.pixel(to));
  }
}

void check(bool finite) {
  if (!finite) fail(ErrorCode::internal, "the network's scores are not finite");
}

}  // namespace

Segmenter::Segmenter(std::shared_ptr<const Model> model, const SegmentOptions& options)
    : model_(std::move(model)),
      options_(options),
      executor_(model_->network(), options.threads),
      pixels_(pixel_table(model_->config().input)) {
  if (options_.scales.empty()) fail(ErrorCode::invalid_argument, "scales: there must be at least one");
  for (double scale : options_.scales)
    if (!(scale >= 0.05 && scale <= 8))
      fail(ErrorCode::invalid_argument, "scales: {} is not between 0.05 and 8", scale);
  if (options_.want_template_sheet && model_->config().first_node("template_morph") == nullptr)
    fail(ErrorCode::invalid_argument, "model '{}' has no templates to show (no template_morph)",
         model_->config().name);
  const RefineSpec& spec = model_->config().refine;
  const std::string crf = options_.crf.value_or(spec.crf.empty() ? "off" : spec.crf);
  if (crf != "off") crf_ = parse_crf(crf);
  superpixels_ = options_.superpixels.value_or(spec.superpixels);
  if (options_.tile.size > 0)
    tiling_.emplace(model_->network()->graph(), model_->config().input, options_.tile);
  if (superpixels_ < 0) fail(ErrorCode::invalid_argument, "superpixels: {} is below 0", superpixels_);
}

bool Segmenter::needs_scores() const {
  return crf_ || superpixels_ > 0 || options_.want_probabilities || options_.flip ||
         options_.scales.size() > 1;
}

SegmentResult Segmenter::run(const ImageView& photo) { return std::move(run(std::span(&photo, 1)).front()); }

std::vector<SegmentResult> Segmenter::run(std::span<const ImageView> photos) {
  std::vector<SegmentResult> results(photos.size());
  for (const ImageView& photo : photos)
    if (photo.width < 1 || photo.height < 1)
      fail(ErrorCode::invalid_argument, "a photo of {}x{} has no pixels", photo.width, photo.height);
  for (std::size_t begin = 0, end = 0; begin < photos.size(); begin = end) {
    for (end = begin + 1; end < photos.size() && !options_.reuse &&
                          photos[end].width == photos[begin].width &&
                          photos[end].height == photos[begin].height;)
      ++end;
    run_group(photos.subspan(begin, end - begin), std::span(results).subspan(begin, end - begin));
  }
  return results;
}

void Segmenter::run_group(std::span<const ImageView> photos, std::span<SegmentResult> results) {
  const InputSpec& input = model_->config().input;
  const int width = photos[0].width, height = photos[0].height;
  const TilePlan plan = tiling_ ? tiling_->plan(width, height, options_.scales, options_.flip)
                                : whole_photo(input, width, height, options_.scales, options_.flip);
  if (plan.count() > 1)
    for (SegmentResult& result : results)
      start_pasting(result, width, height, options_.want_probabilities ? model_->labels().size() : 0);
  scale_photos(photos, plan.passes);
  std::vector<ImageView> frame;
  if (options_.reuse) {
    frame.assign(photos.begin(), photos.end());
    frame.insert(frame.end(), scaled_.begin(), scaled_.end());
  }
  const bool has_last = options_.reuse && last_frame_.is_like(frame);
  if (has_last) results[0] = last_result_;
  std::int64_t reused = 0;
  std::vector<SegmentResult> pieces(photos.size());
  for (std::size_t row = 0; row < plan.rows.size(); ++row)
    for (std::size_t column = 0; column < plan.columns.size(); ++column) {
      const Crop taken = rectangle(plan.columns[column], plan.rows[row]),
                 seen = refines() ? rectangle(plan.seen_columns[column], plan.seen_rows[row]) : taken;
      const Tile tile{column, row, seen};
      if (has_last && is_unchanged(photos[0], plan, tile)) {
        ++reused;
        continue;
      }
      const double share = static_cast<double>(seen.width) * seen.height / width / height;
      std::vector<ScoreMap> fused(photos.size());
      for (std::size_t pass = 0; pass < plan.passes.size(); ++pass)
        run_pass(photos, plan, pass, tile, fused, pieces);
      for (std::size_t i = 0; i < photos.size(); ++i) {
        if (needs_scores()) finish(cut(photos[i], seen), share, std::move(fused[i]), pieces[i]);
        if (plan.count() > 1)
          paste(results[i], pieces[i], taken, seen);
        else
          results[i] = std::move(pieces[i]);
      }
    }
  for (std::size_t i = 0; i < photos.size(); ++i) {
    results[i].times = pieces[i].times;
    results[i].tiles = {static_cast<std::int64_t>(plan.count()), reused};
  }
  if (options_.reuse) {
    last_frame_.remember(frame);
    last_result_ = results[0];
  }
}

bool Segmenter::is_unchanged(const ImageView& photo, const TilePlan& plan, const Tile& tile) const {
  if (!last_frame_.is_same(0, photo, tile.seen)) return false;
  for (std::size_t i = 0; i < plan.passes.size(); ++i) {
    const Pass& pass = plan.passes[i];
    const Crop window = window_of(pass, pass.columns[tile.column], pass.rows[tile.row]);
    if (!last_frame_.is_same(1 + i, scaled_[i], window)) return false;
  }
  return true;
}

void Segmenter::scale_photos(std::span<const ImageView> photos, std::span<const Pass> passes) {
  scaled_.clear();
  scaled_memory_.resize(std::max(scaled_memory_.size(), photos.size() * passes.size()));
  for (std::size_t pass = 0; pass < passes.size(); ++pass)
    for (std::size_t i = 0; i < photos.size(); ++i) {
      const bool again = passes[pass].flip;  // mirrored when it is read
      scaled_.push_back(again
                            ? scaled_[scaled_.size() - photos.size()]
                            : scale_photo(photos[i], passes[pass].geometry, scaled_memory_[scaled_.size()]));
    }
}

void Segmenter::run_pass(std::span<const ImageView> photos, const TilePlan& plan, std::size_t index,
                         const Tile& tile, std::span<ScoreMap> fused, std::span<SegmentResult> results) {
  const ModelConfig& config = model_->config();
  const double share = 1.0 / static_cast<double>(photos.size());
  const Pass& pass = plan.passes[index];
  const int left = pass.columns[tile.column], top = pass.rows[tile.row];
  Stopwatch watch;
  executor_.prepare({static_cast<std::int64_t>(photos.size()), pass.window_height, pass.window_width, 3});
  const TensorView input = executor_.input();
  Stream& stream = executor_.stream();
  for (std::size_t i = 0; i < photos.size(); ++i)
    stream.normalise(cut(scaled_[index * photos.size() + i], window_of(pass, left, top)), pixels_, pass.flip,
                     input.desc, input.image(static_cast<std::int64_t>(i)));
  const double preprocess_time = watch.lap();
  executor_.run();
  stream.synchronise();
  const double network_time = watch.lap();
  if (options_.want_template_sheet && !pass.flip && results[0].template_sheet.rgb.empty())
    draw_template_sheets(photos, pass.geometry, results);
  const TensorView output = executor_.output();
  const Shape& shape = output.desc.shape;
  const bool softmax = config.fusion == Fusion::mean && !config.probabilities;
  const PhotoSampling sampling =
      sample_tile(plan, pass, shape, config.align_corners, {left, top, 0, 0}, tile.seen);
  for (std::size_t i = 0; i < photos.size(); ++i) {
    const LogitsView logits{output.image(static_cast<std::int64_t>(i)),
                            shape.w,
                            shape.h,
                            output.desc.pitch,
                            static_cast<int>(shape.c),
                            output.desc.dtype};
    if (needs_scores()) {
      ScoreMap scores{sampling.width, sampling.height, logits.classes, {}};
      scores.values.resize(scores.pixels() * static_cast<std::size_t>(shape.c));
      check(stream.upsample_scores(logits, sampling, softmax, scores.values.data()));
      if (pass.flip) swap_pairs(scores, config.labels);
      fuse(fused[i], std::move(scores), config.fusion);
    } else {
      LabelMap& labels = results[i].labels;
      labels.width = sampling.width, labels.height = sampling.height;
      labels.ids.resize(static_cast<std::size_t>(labels.width) * static_cast<std::size_t>(labels.height));
      check(stream.upsample_labels(logits, sampling, labels.ids.data()));
    }
    results[i].times.preprocess += preprocess_time * share;
    results[i].times.network += network_time * share;
    results[i].times.upsample += watch.lap();
  }
}

void Segmenter::draw_template_sheets(std::span<const ImageView> photos, const Geometry& geometry,
                                     std::span<SegmentResult> results) {
  const std::vector<float> coefficients = executor_.read_output(model_->template_output());
  const std::vector<float> boxes = executor_.read_output(model_->template_output() + 1);
  const auto slice = [&](const std::vector<float>& values, std::size_t i) {
    const std::size_t one = values.size() / photos.size();
    return std::span(values).subspan(i * one, one);
  };
  for (std::size_t i = 0; i < photos.size(); ++i)
    results[i].template_sheet =
        template_sheet(photos[i], template_masks(*model_, slice(coefficients, i), slice(boxes, i), geometry));
}

/// `photo`: the part of the photo that the scores are of, which is that share of it.
void Segmenter::finish(const ImageView& photo, double share, ScoreMap scores, SegmentResult& result) const {
  Stopwatch watch;
  const std::size_t passes = options_.scales.size() * (options_.flip ? 2 : 1);
  if (model_->config().fusion == Fusion::max)
    scores = softmax_of(std::move(scores), 1);
  else if (passes > 1)
    for (float& value : scores.values) value /= static_cast<float>(passes);
  result.times.upsample += watch.lap();
  if (crf_) {
    scores = dense_crf(unary_from_probabilities(std::move(scores)), photo, *crf_);
    result.times.crf += watch.lap();
  }
  if (superpixels_ > 0) {
    const double pixels = static_cast<double>(photo.width) * photo.height;
    const int wanted = static_cast<int>(std::clamp(std::round(superpixels_ * share), 1.0, pixels));
    scores = smooth_over_superpixels(std::move(scores), slic(photo, {wanted}));
    result.times.superpixels += watch.lap();
  }
  result.labels = argmax(scores);
  if (options_.want_probabilities) result.probabilities = std::move(scores);
  result.times.upsample += watch.lap();
}

}  // namespace atrous
