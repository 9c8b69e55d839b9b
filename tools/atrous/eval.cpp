// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "core/error.h"
#include "core/files.h"
#include "core/stopwatch.h"
#include "image/codec.h"
#include "messages.h"
#include "options.h"
#include "pipeline/metrics.h"
#include "progress.h"

namespace atrous::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Arguments {
  std::string predictions, labels, label_names, list, csv;
  ModelArguments model;
  SegmentArguments segment;
  bool compare = false, json = false, quiet = false;
};

struct Pair {
  fs::path prediction, truth;
};

/// Words of a file.
std::vector<std::string> read_words(const std::string& file) {
  const std::vector<std::byte> content = read_file(file);
  std::istringstream stream(std::string(reinterpret_cast<const char*>(content.data()), content.size()));
  return {std::istream_iterator<std::string>(stream), {}};
}

/// Predictions (or photos) and label maps of the same stem.
std::vector<Pair> find_pairs(const Arguments& arguments) {
  std::map<std::string, fs::path> truths;
  for (const InputFile& file : list_inputs({arguments.labels}, true)) truths[file.stem.string()] = file.file;
  std::vector<std::string> wanted;
  if (!arguments.list.empty()) wanted = read_words(arguments.list);
  std::vector<Pair> pairs;
  for (const InputFile& file : list_inputs({arguments.predictions}, true)) {
    const std::string stem = file.stem.string();
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), stem) == wanted.end()) continue;
    if (stem.ends_with(".overlay") || stem.ends_with(".color")) continue;
    const auto truth = truths.find(stem);
    if (truth != truths.end()) pairs.push_back({file.file, truth->second});
  }
  if (pairs.empty())
    fail(ErrorCode::not_found, "{}: no image has a label map of its name in {}", arguments.predictions,
         arguments.labels);
  return pairs;
}

/// Raw id -> class id, by the names of the raw ids and the label set's merge table; the identity without
/// names.
std::vector<std::uint8_t> merge_table(const Arguments& arguments, const LabelSet& set) {
  std::vector<std::uint8_t> table(256);
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<std::uint8_t>(i);
  if (arguments.label_names.empty()) return table;
  std::fill(table.begin(), table.end(), kIgnore);
  const std::vector<std::string> names = read_words(arguments.label_names);
  for (std::size_t i = 0; i < std::min<std::size_t>(names.size(), 255); ++i) {
    const auto merged = std::find_if(set.merge.begin(), set.merge.end(),
                                     [&](const auto& entry) { return entry.first == names[i]; });
    const int id = merged != set.merge.end() ? merged->second : set.find(names[i]);
    if (id < 0)
      fail(ErrorCode::invalid_argument, "{}: label set '{}' has no class for '{}'", arguments.label_names,
           set.name, names[i]);
    table[i] = static_cast<std::uint8_t>(id);
  }
  return table;
}

/// One way to get predictions, and what it scored.
struct Variant {
  std::string name;
  std::optional<Segmenter> segmenter;  ///< none: the predictions are masks
  Confusion confusion;
  double milliseconds = 0;
};

std::vector<Variant> make_variants(const Arguments& arguments, const std::shared_ptr<const Model>& model,
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
  const std::string crf = options.crf.value_or("");
  const int superpixels = options.superpixels.value_or(kDefaultSuperpixels);
  auto add = [&](const std::string& name, const std::string& variant_crf, int variant_superpixels) {
    options.crf = variant_crf, options.superpixels = variant_superpixels;
    variants.push_back({name, Segmenter(model, options), Confusion(classes)});
  };
  add("network", "off", 0);
  add("+crf", crf, 0);
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
    std::cout << fmt::format("{:20} {:8.4f} {:8.4f} {:10.4f} {:8.4f}\n", set.classes[c].name,
                             s.classes[c].iou, s.classes[c].f1, s.classes[c].precision, s.classes[c].recall);
}

void print_summary(const std::vector<Variant>& variants, std::size_t images) {
  std::cout << fmt::format("{:20} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>9}\n", "", "mIoU",
                           "pixacc", "meanacc", "fgacc", "mP", "mR", "mF1", "fgIoU", "bIoU", "ms/image");
  for (const Variant& v : variants) {
    const Scores s = score(v.confusion);
    std::cout << fmt::format(
        "{:20} {:7.4f} {:7.4f} {:7.4f} {:7.4f} {:7.4f} {:7.4f} {:7.4f} {:7.4f} {:7.4f} {:9.1f}\n", v.name,
        s.mean_iou, s.pixel_accuracy, s.mean_accuracy, s.foreground_accuracy, s.mean_precision, s.mean_recall,
        s.mean_f1, s.foreground_iou, s.boundary_iou, v.milliseconds / static_cast<double>(images));
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

int evaluate(const Arguments& arguments) {
  std::shared_ptr<const Model> model;
  const bool masks = arguments.model.model.empty() && !arguments.compare;
  model = Model::open(arguments.model.model, arguments.model.options);  // for masks: its label set alone
  const LabelSet& set = model->labels();
  const std::vector<std::uint8_t> table = merge_table(arguments, set);
  const std::vector<Pair> pairs = find_pairs(arguments);
  std::vector<Variant> variants = make_variants(arguments, masks ? nullptr : model, set.size());
  std::string csv = "file,variant,mean_iou,pixel_accuracy,mean_f1\n";
  Progress progress(pairs.size(), arguments.quiet);
  std::size_t failed = 0;
  for (const Pair& pair : pairs) {
    try {
      LabelMap truth = load_mask(pair.truth);
      for (std::uint8_t& id : truth.ids) id = table[id];
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
  return failed > 0 ? kSomeFailed : kDone;
}

}  // namespace

void add_eval(CLI::App& app, Run& run) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("eval", "mIoU, accuracies, F1 (ATR's protocol), boundary IoU");
  command
      ->add_option("PRED_OR_IMAGES", arguments->predictions,
                   "a folder of masks; with -m or --compare, of photos")
      ->required();
  command->add_option("LABELS", arguments->labels, "a folder of label maps with the same names")->required();
  arguments->model.add_to(*command, false);
  arguments->segment.add_to(*command);
  command->add_flag("--compare", arguments->compare,
                    "the network alone, with CRF, with superpixels and with both, side by side");
  command->add_option("--label-names", arguments->label_names,
                      "names of the label maps' ids, to merge into the model's classes");
  command->add_option("--list", arguments->list, "only the stems that this file lists");
  command->add_option("--csv", arguments->csv, "write the scores of each image");
  command->add_flag("--json", arguments->json, "as JSON");
  command->add_flag("-q,--quiet", arguments->quiet, "no progress");
  command->callback([arguments, &run] { run = [arguments] { return evaluate(*arguments); }; });
}

}  // namespace atrous::cli
