// SPDX-License-Identifier: Apache-2.0
#include "cli/eval_source.h"

#include <algorithm>
#include <chrono>

#include "cli/arguments.h"
#include "image/codec.h"
#include "refine/dense_crf.h"
#include "refine/superpixel.h"

namespace atrous::cli {
namespace {

class MaskSource : public EvalSource {
 public:
  std::vector<std::string> stages() const override { return {"masks"}; }
  std::vector<StageMask> masks(const EvalPair& pair) override { return {{load_mask(pair.prediction), 0}}; }
};

double total(const StageTimes& times) {
  return times.preprocess + times.network + times.upsample + times.crf + times.superpixels;
}

class ModelSource : public EvalSource {
 public:
  ModelSource(std::shared_ptr<const Model> model, const SegmentOptions& options)
      : segmenter_(std::move(model), options) {}
  std::vector<std::string> stages() const override { return {segmenter_.model().config().name}; }
  std::vector<StageMask> masks(const EvalPair& pair) override {
    SegmentResult result = segmenter_.run(load_image(pair.prediction).view());
    return {{std::move(result.labels), total(result.times)}};
  }

 private:
  Segmenter segmenter_;
};

class CompareSource : public EvalSource {
 public:
  CompareSource(std::shared_ptr<const Model> model, SegmentOptions options)
      : crf_(parse_crf(chosen(options.crf, model->config().refine.crf))),
        superpixels_(options.superpixels.value_or(0)),
        segmenter_(std::move(model), network_only(options)) {
    if (superpixels_ == 0) superpixels_ = parse_superpixels(std::string(kDefaultWord));
  }
  std::vector<std::string> stages() const override { return {"network", "+crf", "+superpixels"}; }
  std::vector<StageMask> masks(const EvalPair& pair) override {
    const Image photo = load_image(pair.prediction);
    SegmentResult network = segmenter_.run(photo.view());
    std::vector<StageMask> result;
    result.push_back({std::move(network.labels), total(network.times)});
    const auto start = Clock::now();
    const ScoreMap q =
        dense_crf(unary_from_probabilities(std::move(network.probabilities)), photo.view(), crf_);
    result.push_back({argmax(q), since(start)});
    const auto again = Clock::now();
    SlicParams params;
    params.superpixels =
        static_cast<int>(std::min<std::size_t>(static_cast<std::size_t>(superpixels_), q.pixels()));
    const LabelMap smoothed = argmax(smooth_over_superpixels(q, slic(photo.view(), params)));
    result.push_back({smoothed, since(again)});
    return result;
  }

 private:
  using Clock = std::chrono::steady_clock;
  static double since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  }
  static std::string chosen(const std::optional<std::string>& wanted, const std::string& of_config) {
    const std::string crf = wanted.value_or(of_config);
    return crf == "off" ? "" : crf;
  }
  static SegmentOptions network_only(SegmentOptions options) {
    options.crf = "off";
    options.superpixels = 0;
    options.want_probabilities = true;
    return options;
  }

  CrfParams crf_;
  int superpixels_;
  Segmenter segmenter_;
};

}  // namespace

std::unique_ptr<EvalSource> make_mask_source() { return std::make_unique<MaskSource>(); }

std::unique_ptr<EvalSource> make_model_source(std::shared_ptr<const Model> model,
                                              const SegmentOptions& options) {
  return std::make_unique<ModelSource>(std::move(model), options);
}

std::unique_ptr<EvalSource> make_compare_source(std::shared_ptr<const Model> model,
                                                const SegmentOptions& options) {
  return std::make_unique<CompareSource>(std::move(model), options);
}

}  // namespace atrous::cli
