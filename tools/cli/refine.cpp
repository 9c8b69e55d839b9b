// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "backend/backend.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/shares.h"
#include "cli/terminal.h"
#include "core/error.h"
#include "core/files.h"
#include "image/codec.h"
#include "image/npy.h"
#include "image/overlay.h"
#include "refine/dense_crf.h"
#include "refine/superpixel.h"

namespace atrous::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string image, scores, output, kind = "probs", save = "mask", labels;
  RefineArguments refine;
  int threads = 0;
  bool json = false, quiet = false;
};

/// The options, checked before any file is touched.
struct Task {
  std::optional<CrfParams> crf;
  int superpixels = 0;
  bool save_mask = false, save_probs = false;
  std::optional<LabelSet> labels;
};

struct Timer {
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
  double milliseconds() const {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  }
};

Task make_task(const Options& options) {
  Task task;
  if (options.refine.superpixels) task.superpixels = parse_superpixels(*options.refine.superpixels);
  const bool neither = !options.refine.crf && !options.refine.superpixels;
  const std::string crf = options.refine.crf.value_or(neither ? std::string(kDefaultWord) : "off");
  if (crf != "off") task.crf = parse_crf(crf == kDefaultWord ? "" : crf);
  for (const std::string& word : split_list("--save", options.save)) {
    if (word != "mask" && word != "probs")
      fail(ErrorCode::invalid_argument, "--save: refine writes mask and probs, not '{}'", word);
    (word == "mask" ? task.save_mask : task.save_probs) = true;
  }
  if (!options.labels.empty()) task.labels = find_label_set(options.labels);
  return task;
}

/// Scores that are not what `--scores` says would give a plausible but wrong mask.
void check_scores(const ScoreMap& scores, const Options& options) {
  for (std::size_t i = 0; i < scores.pixels(); ++i) {
    const float* values = scores.pixel(i);
    const auto complain = [&](const std::string& reason) {
      const std::size_t width = static_cast<std::size_t>(scores.width);
      fail(ErrorCode::bad_file, "{}: {} at pixel ({}, {})", options.scores, reason, i % width, i / width);
    };
    double sum = 0;
    for (int c = 0; c < scores.classes; ++c) {
      if (!std::isfinite(values[c])) complain(fmt::format("class {} is NaN or infinite", c));
      if (options.kind == "probs" && (values[c] < -1e-3F || values[c] > 1.01F))
        complain(fmt::format("class {} is {}, no probability (--scores logits or unary?)", c, values[c]));
      sum += static_cast<double>(values[c]);
    }
    if (options.kind == "probs" && std::abs(sum - 1) > 0.05)
      complain(fmt::format("the classes sum to {:.3g}, not 1 (--scores logits or unary?)", sum));
  }
}

LabelSet labels_for(const ScoreMap& scores, const Task& task, const Options& options) {
  if (scores.classes > kIgnore)
    fail(ErrorCode::bad_file, "{}: has {} classes, but a mask can hold {}", options.scores, scores.classes,
         kIgnore);
  if (!task.labels) return numbered_labels(scores.classes);
  if (task.labels->size() != scores.classes)
    fail(ErrorCode::bad_file, "{}: has {} classes, but label set '{}' has {}", options.scores, scores.classes,
         options.labels, task.labels->size());
  return *task.labels;
}

struct Refined {
  ScoreMap probabilities;
  double crf_ms = 0, superpixels_ms = 0;
};

Refined refine(ScoreMap scores, const ImageView& image, const Task& task, const std::string& kind) {
  Refined result;
  if (task.crf) {
    ScoreMap unary = kind == "unary"    ? std::move(scores)
                     : kind == "logits" ? unary_from_logits(std::move(scores))
                                        : unary_from_probabilities(std::move(scores));
    const Timer timer;
    result.probabilities = dense_crf(unary, image, *task.crf);
    result.crf_ms = timer.milliseconds();
  } else {
    result.probabilities =
        kind == "probs" ? std::move(scores) : softmax_of(std::move(scores), kind == "logits" ? 1.0F : -1.0F);
  }
  if (task.superpixels > 0) {
    const Timer timer;
    SlicParams slic_params;
    slic_params.superpixels = static_cast<int>(
        std::min<std::size_t>(static_cast<std::size_t>(task.superpixels), result.probabilities.pixels()));
    result.probabilities = smooth_over_superpixels(result.probabilities, slic(image, slic_params));
    result.superpixels_ms = timer.milliseconds();
  }
  return result;
}

void report(const Options& options, const Task& task, const LabelMap& mask, const LabelSet& labels,
            const Refined& refined) {
  const std::vector<std::int64_t> pixels = count_pixels(mask);
  if (options.json) {
    nlohmann::ordered_json counts = nlohmann::ordered_json::object();
    for (std::size_t id = 0; id < labels.classes.size(); ++id)
      if (pixels[id] > 0) counts[labels.classes[id].name] = pixels[id];
    const nlohmann::ordered_json line{
        {"image", options.image},
        {"scores", options.scores},
        {"mask", task.save_mask ? options.output : ""},
        {"width", mask.width},
        {"height", mask.height},
        {"classes", labels.size()},
        {"ms", {{"crf", refined.crf_ms}, {"superpixels", refined.superpixels_ms}}},
        {"pixels", counts}};
    fmt::print("{}\n", line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  } else if (!options.quiet) {
    fmt::print("{}: {}\n", printable(options.output), shares_text(pixels, labels));
  }
}

void process(const Options& options, const Task& task) {
  const Image image = load_image(options.image);
  ScoreMap scores = load_npy(options.scores);
  if (scores.width != image.width || scores.height != image.height)
    fail(ErrorCode::bad_file, "{}: its scores are {}x{} (width x height), but {} is {}x{}", options.scores,
         scores.width, scores.height, options.image, image.width, image.height);
  check_scores(scores, options);
  const LabelSet labels = labels_for(scores, task, options);
  const Refined refined = refine(std::move(scores), image.view(), task, options.kind);
  const LabelMap mask = argmax(refined.probabilities);
  if (task.save_mask) write_file(options.output, encode_mask(mask, labels));
  if (task.save_probs)
    write_file(fs::path(options.output).replace_extension(".probs.npy"), encode_npy(refined.probabilities));
  report(options, task, mask, labels, refined);
}

int run(const Options& options) {
  const Task task = make_task(options);
  const auto backend = make_backend(Device{});
  backend->set_threads(options.threads > 0 ? options.threads : backend->default_threads());
  try {
    process(options, task);
  } catch (const Error& error) {
    say(error.message());
    return kSomeFailed;
  }
  return kDone;
}

}  // namespace

Command make_refine() {
  auto app = make_parser("refine", "The dense CRF and superpixels alone, on anyone's scores");
  auto options = std::make_shared<Options>();
  app->add_option("IMAGE", options->image, "the photo")->required();
  app->add_option("SCORES", options->scores,
                  "a .npy file, float32 or float16 [classes, height, width], of the photo's size")
      ->required();
  app->add_option("-o,--output", options->output, "the mask, an indexed PNG")->required();
  app->add_option("--scores", options->kind,
                  "what SCORES holds: probabilities, logits, or unary energies -log p")
      ->check(CLI::IsMember({"probs", "logits", "unary"}))
      ->capture_default_str();
  options->refine.add_to(*app, true);
  app->add_option("--save", options->save,
                  "mask, probs; comma separated; probs land beside m.png as m.probs.npy")
      ->capture_default_str();
  app->add_option("--labels", options->labels,
                  "label set for palette and names, a name or a YAML (default: VOC colours)");
  app->add_option("--threads", options->threads, "threads (0: one a processor)")
      ->envname("ATROUS_THREADS")
      ->check(CLI::Range(0, 1024));
  app->add_flag("--json", options->json, "one JSON line on standard output");
  app->add_flag("-q,--quiet", options->quiet, "say nothing but errors");
  app->footer(
      "Without --crf and --superpixels the dense CRF runs with its default preset.\n"
      "CRF keys: iterations, gaussian_sxy, gaussian_weight, bilateral_sxy, bilateral_srgb, "
      "bilateral_weight,\n"
      "normalization (none, before, after, symmetric).");
  return {app, [options](const auto&) { return run(*options); }};
}

}  // namespace atrous::cli
