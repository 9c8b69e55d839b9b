// SPDX-License-Identifier: Apache-2.0
#include "pipeline/segmenter.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/parallel.h"
#include "core/stopwatch.h"
#include "pipeline/template_values.h"
#include "refine/dense_crf.h"
#include "refine/superpixel.h"

namespace atrous {
namespace {

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
    for (end = begin + 1; end < photos.size() && photos[end].width == photos[begin].width &&
                          photos[end].height == photos[begin].height;)
      ++end;
    run_group(photos.subspan(begin, end - begin), std::span(results).subspan(begin, end - begin));
  }
  return results;
}

void Segmenter::run_group(std::span<const ImageView> photos, std::span<SegmentResult> results) {
  std::vector<ScoreMap> fused(photos.size());
  for (double scale : options_.scales) {
    run_pass(photos, scale, false, fused, results);
    if (options_.flip) run_pass(photos, scale, true, fused, results);
  }
  if (!needs_scores()) return;
  for (std::size_t i = 0; i < photos.size(); ++i) finish(photos[i], std::move(fused[i]), results[i]);
}

void Segmenter::run_pass(std::span<const ImageView> photos, double scale, bool flip,
                         std::span<ScoreMap> fused, std::span<SegmentResult> results) {
  const ModelConfig& config = model_->config();
  const double share = 1.0 / static_cast<double>(photos.size());
  const Geometry geometry = plan_geometry(config.input, photos[0].width, photos[0].height, scale);
  Stopwatch watch;
  executor_.prepare({static_cast<std::int64_t>(photos.size()), geometry.height, geometry.width, 3});
  const TensorView input = executor_.input();
  Stream& stream = executor_.stream();
  for (std::size_t i = 0; i < photos.size(); ++i)
    stream.normalise(scale_photo(photos[i], geometry, scaled_), pixels_, flip, input.desc,
                     input.image(static_cast<std::int64_t>(i)));
  const double preprocess_time = watch.lap();
  executor_.run();
  stream.synchronise();
  const double network_time = watch.lap();
  if (options_.want_template_sheet && !flip && results[0].template_sheet.rgb.empty())
    draw_template_sheets(photos, geometry, results);
  const TensorView output = executor_.output();
  const Shape& shape = output.desc.shape;
  const bool softmax = config.fusion == Fusion::mean && !config.probabilities;
  const PhotoSampling sampling = sample_logits(geometry, shape.w, shape.h, config.align_corners, flip);
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
      if (flip) swap_pairs(scores, config.labels);
      fuse(fused[i], std::move(scores), config.fusion);
    } else {
      LabelMap& labels = results[i].labels;
      labels = {sampling.width, sampling.height, {}};
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

void Segmenter::finish(const ImageView& photo, ScoreMap scores, SegmentResult& result) const {
  Stopwatch watch;
  const std::size_t passes = options_.scales.size() * (options_.flip ? 2 : 1);
  if (model_->config().fusion == Fusion::max)
    scores = softmax_of(std::move(scores), 1);
  else if (passes > 1)
    for (float& value : scores.values) value /= static_cast<float>(passes);
  result.times.upsample += watch.lap();
  if (crf_) {
    scores = dense_crf(unary_from_probabilities(std::move(scores)), photo, *crf_);
    result.times.crf = watch.lap();
  }
  if (superpixels_ > 0) {
    const int wanted =
        static_cast<int>(std::min<std::int64_t>(superpixels_, std::int64_t{photo.width} * photo.height));
    scores = smooth_over_superpixels(std::move(scores), slic(photo, {wanted}));
    result.times.superpixels = watch.lap();
  }
  result.labels = argmax(scores);
  if (options_.want_probabilities) result.probabilities = std::move(scores);
  result.times.upsample += watch.lap();
}

}  // namespace atrous
