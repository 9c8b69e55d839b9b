// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/eval_report.h"
#include "cli/evaluator.h"
#include "cli/exit.h"
#include "cli/interrupt.h"
#include "cli/open_model.h"
#include "cli/progress.h"
#include "cli/terminal.h"
#include "core/error.h"

namespace atrous::cli {
namespace {

struct Options {
  std::string predictions, labels, model, list, label_names, label_set, csv, scales = "1";
  DeviceArguments device;
  RefineArguments refine;
  bool flip = false, compare = false, json = false, quiet = false;
};

std::unique_ptr<EvalSource> make_source(const Options& options, bool photos,
                                        std::optional<LabelSet>& labels) {
  if (!photos && options.model.empty()) {
    if (options.compare || options.refine.crf || options.refine.superpixels)
      fail(ErrorCode::invalid_argument,
           "--compare, --crf and --superpixels need photos and a model, not finished masks");
    return make_mask_source();
  }
  SegmentOptions segment;
  segment.threads = options.device.threads;
  segment.scales = parse_scales(options.scales);
  segment.flip = options.flip;
  options.refine.apply(segment);
  const auto model = open_model(options.model, options.device, options.quiet);
  if (!labels) labels = model->labels();
  if (options.compare) return make_compare_source(model, segment);
  return make_model_source(model, segment);
}

int run(const Options& options) {
  const EvalPairs found = find_pairs(options.predictions, options.labels, options.list);
  if (found.pairs.empty())
    fail(ErrorCode::not_found, "no file of {} has a label of the same name in {}", options.predictions,
         options.labels);
  std::optional<LabelSet> labels;
  if (!options.label_set.empty()) labels = find_label_set(options.label_set);
  Interrupt interrupt;
  std::unique_ptr<EvalSource> source = make_source(options, found.photos, labels);
  if (!labels) labels = guess_labels(found.pairs);
  std::vector<std::uint8_t> table;
  if (!options.label_names.empty()) table = merge_table(*labels, read_lines(options.label_names));
  Evaluator evaluator(std::move(source), *labels, table);

  for (const std::string& message : found.incomplete) say(message);
  if (found.unlabelled > 0 && !options.quiet)
    say(fmt::format("{} files of {} have no label and are left out", found.unlabelled, options.predictions));
  std::size_t failed = found.incomplete.size();
  {
    Progress progress(found.pairs.size(), options.quiet);
    for (const EvalPair& pair : found.pairs) {
      if (interrupt.requested()) break;
      const std::size_t before = evaluator.images();
      try {
        evaluator.add(pair);
      } catch (const Error& error) {
        progress.message(error.message());
        ++failed;
      }
      progress.advance(evaluator.images() == before);
    }
  }
  if (evaluator.images() > 0) {
    if (options.json)
      print_evaluation_json(evaluator.results(), evaluator.labels(), evaluator.images(), failed);
    else
      print_evaluation(evaluator.results(), evaluator.labels(), evaluator.images(),
                       found.photos || !options.model.empty());
    if (!options.csv.empty()) write_csv(options.csv, evaluator.rows());
  }
  return interrupt.requested() ? kInterrupted : failed > 0 ? kSomeFailed : kDone;
}

}  // namespace

Command make_eval() {
  auto app = make_parser("eval", "mIoU, accuracies, F1 (ATR's protocol) and boundary IoU against labels");
  auto options = std::make_shared<Options>();
  app->add_option("PRED_OR_IMAGES", options->predictions,
                  "a folder of masks (PNG), or of photos to segment; or one file")
      ->required();
  app->add_option("LABELS", options->labels, "the folder of labels (PNG, pixel = class id, 255 left out)")
      ->required();
  app->add_option("-m,--model", options->model,
                  "segment with this model (default: the embedded one where there are other files than PNG)");
  app->add_flag("--compare", options->compare, "each stage side by side: network, +crf, +superpixels");
  app->add_option("--list", options->list, "a file with the names to keep to, one a line, without extension");
  app->add_option("--label-names", options->label_names,
                  "names of the labels' raw ids, one a line; the label set's `merge` maps them to classes");
  app->add_option("--labels", options->label_set,
                  "label set, a name or a YAML (default: the model's; without one, numbers)");
  app->add_option("--csv", options->csv, "a line an image and stage");
  options->refine.add_to(*app, false);
  app->add_option("--scales", options->scales, "multi-scale inference, e.g. 0.5,0.75,1")
      ->capture_default_str();
  app->add_flag("--flip", options->flip, "mirrored inference too");
  options->device.add_to(*app);
  app->add_flag("--json", options->json, "one JSON document");
  app->add_flag("-q,--quiet", options->quiet, "no progress; errors are still said");
  app->footer(
      "Figures over all images together; a class that occurs nowhere is nan and counts in no mean. Files "
      "are\n"
      "paired by name without extension, sub-folders included.");
  return {app, [options](const auto&) { return run(*options); }};
}

}  // namespace atrous::cli
