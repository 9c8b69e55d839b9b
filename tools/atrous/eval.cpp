// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "config/model_config.h"
#include "config/model_path.h"
#include "core/error.h"
#include "core/files.h"
#include "core/stopwatch.h"
#include "eval_pairs.h"
#include "image/codec.h"
#include "messages.h"
#include "options.h"
#include "pipeline/metrics.h"
#include "progress.h"
#include "refine/superpixel.h"

namespace atrous::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct EvalArguments {
  EvalFolders folders;
  std::string label_names, label_set, csv;
  ModelArguments model;
  SegmentArguments segment;
  bool compare = false, json = false, quiet = false;
};

/// One way to get predictions, and what it scored.
struct Variant {
  std::string name;
  std::optional<Segmenter> segmenter;  ///< none: the predictions are masks
  Confusion confusion;
  double milliseconds = 0;
};

std::vector<Variant> make_variants(const EvalArguments& arguments, const std::shared_ptr<const Model>& model,
                                   int classes) {
  std::vector<Variant> variants;
  if (!model) {
    variants.push_back({"masks", {}, Confusion(classes)});
    return variants;
  }
  SegmentOptions options = arguments.segment.parse(arguments.model.threads);
  if (!arguments.compare) {
    variants.push_back({"model", Segmenter(model, options), Confusion(classes)});
    return variants;
  }
  const std::string crf = options.crf.value_or(std::string(kDefaultCrf));
  const int superpixels = options.superpixels.value_or(kDefaultSuperpixels);
  auto add = [&](const std::string& name, const std::string& variant_crf, int variant_superpixels) {
    options.crf = variant_crf, options.superpixels = variant_superpixels;
    variants.push_back({name, Segmenter(model, options), Confusion(classes)});
  };
  add("network", "off", 0);
  add("+crf", crf, 0);
  if (crf != "off") add("+crf on superpixels", crf + ",on=superpixels", 0);
  add("+superpixels", "off", superpixels);
  add("+crf+superpixels", crf, superpixels);
  return variants;
}

Json to_json(const Scores& s, const LabelSet& set) {
  Json classes = Json::object();
  for (std::size_t c = 0; c < s.classes.size(); ++c)
    classes[set.classes[c].name] = {{"iou", s.classes[c].iou},
                                    {"f1", s.classes[c].f1},
                                    {"precision", s.classes[c].precision},
                                    {"recall", s.classes[c].recall}};
  return {{"mean_iou", s.mean_iou},
          {"pixel_accuracy", s.pixel_accuracy},
          {"mean_accuracy", s.mean_accuracy},
          {"foreground_accuracy", s.foreground_accuracy},
          {"mean_precision", s.mean_precision},
          {"mean_recall", s.mean_recall},
          {"mean_f1", s.mean_f1},
          {"foreground_iou", s.foreground_iou},
          {"boundary_iou", s.boundary_iou},
          {"classes", classes}};
}

void print_classes(const Scores& s, const LabelSet& set) {
  std::cout << fmt::format("{:20} {:>8} {:>8} {:>10} {:>8}\n", "class", "IoU", "F1", "precision", "recall");
  for (std::size_t c = 0; c < s.classes.size(); ++c)
    std::cout << fmt::format("{:20} {:>8.4f} {:>8.4f} {:>10.4f} {:>8.4f}\n", set.classes[c].name,
                             s.classes[c].iou, s.classes[c].f1, s.classes[c].precision, s.classes[c].recall);
}

void print_summary(const std::vector<Variant>& variants, std::size_t images) {
  std::cout << fmt::format("{:20} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>9}\n", "", "mIoU",
                           "pixacc", "meanacc", "fgacc", "mP", "mR", "mF1", "fgIoU", "bIoU", "ms/image");
  for (const Variant& v : variants) {
    const Scores s = score(v.confusion);
    std::cout << fmt::format(
        "{:20} {:>7.4f} {:>7.4f} {:>7.4f} {:>7.4f} {:>7.4f} {:>7.4f} {:>7.4f} {:>7.4f} {:>7.4f} {:9.1f}\n",
        v.name, s.mean_iou, s.pixel_accuracy, s.mean_accuracy, s.foreground_accuracy, s.mean_precision,
        s.mean_recall, s.mean_f1, s.foreground_iou, s.boundary_iou,
        v.milliseconds / static_cast<double>(images));
  }
}

LabelMap predict(Variant& variant, const fs::path& file) {
  if (!variant.segmenter) return load_mask(file);
  const Image photo = load_image(file);
  Stopwatch watch;
  SegmentResult result = variant.segmenter->run(photo.view());
  variant.milliseconds += watch.lap();
  return std::move(result.labels);
}

/// The classes of masks: those of --label-set, of the data set, of the embedded model.
LabelSet labels_of_masks(const std::string& given, const EvalPairs& pairs) {
  if (!given.empty()) return load_label_set(given, search_folders());
  if (pairs.dataset) return load_label_set(pairs.dataset->label_set, search_folders());
  return load_model_config(find_model(""), search_folders()).labels;
}

int evaluate(const EvalArguments& arguments) {
  const bool masks = arguments.model.model.empty() && !arguments.compare;
  if (!masks && !arguments.label_set.empty())
    fail(ErrorCode::invalid_argument, "--label-set is for masks; a model has its own labels");
  if (masks && arguments.segment.given())
    fail(ErrorCode::invalid_argument,
         "--crf, --superpixels, --scales, --flip and --tile are for photos: say -m MODEL or --compare");
  if (!arguments.csv.empty()) check_writable(arguments.csv);
  const EvalPairs found = find_pairs(arguments.folders, masks);
  const std::vector<EvalPair>& pairs = found.pairs;
  const auto model = masks ? nullptr : Model::open(arguments.model.model, arguments.model.options);
  const LabelSet set = masks ? labels_of_masks(arguments.label_set, found) : model->labels();
  const IdTable table = id_table(arguments.label_names, found, set);
  std::vector<Variant> variants = make_variants(arguments, model, set.size());
  std::string csv = "file,variant,mean_iou,pixel_accuracy,mean_f1\n";
  Progress progress(pairs.size(), arguments.quiet);
  std::size_t failed = 0;
  for (const EvalPair& pair : pairs) {
    try {
      const LabelMap truth = load_truth(pair.truth, table, set);
      std::vector<Confusion> images;
      for (Variant& variant : variants) {
        images.emplace_back(set.size());
        images.back().add(truth, predict(variant, pair.prediction));
      }
      for (std::size_t i = 0; i < variants.size(); ++i) {
        variants[i].confusion.add(images[i]);
        const Scores s = score(images[i]);
        csv += fmt::format("{},{},{:.6f},{:.6f},{:.6f}\n", pair.prediction.string(), variants[i].name,
                           s.mean_iou, s.pixel_accuracy, s.mean_f1);
      }
    } catch (const std::exception& error) {  // an Error, bad_alloc and what libraries throw
      progress.clear();
      const std::string file = pair.prediction.string(), message = error.what();
      const bool named = message.find(one_line(file)) != std::string::npos ||
                         message.find(one_line(pair.truth.string())) != std::string::npos;
      say(named ? message : file + ": " + message);
      ++failed;
    }
    progress.advance();
  }
  progress.clear();
  if (failed == pairs.size()) return kSomeFailed;
  if (!arguments.csv.empty()) write_file(arguments.csv, std::as_bytes(std::span(csv)));
  if (arguments.json) {
    Json result{{"images", pairs.size() - failed}, {"failed", failed}};
    for (const Variant& v : variants) result["variants"][v.name] = to_json(score(v.confusion), set);
    std::cout << result.dump(2) << "\n";
  } else {
    for (const Variant& v : variants) {
      std::cout << v.name << ", " << pairs.size() - failed << " images\n";
      print_classes(score(v.confusion), set);
    }
    print_summary(variants, pairs.size() - failed);
  }
  return failed + found.missing > 0 ? kSomeFailed : kDone;
}

}  // namespace

void add_eval(CLI::App& app, Run& run) {
  auto arguments = std::make_shared<EvalArguments>();
  CLI::App* command = app.add_subcommand("eval", "mIoU, accuracies, F1 (ATR's protocol), boundary IoU");
  command
      ->add_option("PRED_OR_IMAGES", arguments->folders.predictions,
                   "a folder of masks; with -m or --compare, of photos, or a data set")
      ->required();
  command->add_option("LABELS", arguments->folders.labels,
                      "a folder of label maps with the same names, or a data set: a folder laid out as VOC, "
                      "Cityscapes or ADE20K");
  command->add_option("--split", arguments->folders.split, "of the data set: val, train, ...")
      ->capture_default_str();
  arguments->model.add_to(*command, false);
  command->get_option("--model")->description(
      "a model's name, or a path to its YAML or to an ONNX file, for photos; default: none, with --compare "
      "the "
      "embedded one");
  arguments->segment.add_to(*command);
  command->add_flag("--compare", arguments->compare,
                    "the network alone, with CRF, with superpixels and with both, side by side");
  command->add_option("--label-names", arguments->label_names,
                      "names of the label maps' ids, to merge into the model's classes");
  command->add_option("--label-set", arguments->label_set,
                      "classes of masks: a label set, a file of one or a number; default: the data set's, "
                      "else the embedded model's");
  command->add_option("--list", arguments->folders.list, "only the stems that this file lists");
  command->add_option("--csv", arguments->csv, "write the scores of each image");
  command->add_flag("--json", arguments->json, "as JSON");
  command->add_flag("-q,--quiet", arguments->quiet, "no progress");
  command->callback([arguments, &run] { run = [arguments] { return evaluate(*arguments); }; });
}

}  // namespace atrous::cli
