// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <map>

#include "commands.h"
#include "config/model_path.h"
#include "core/error.h"
#include "core/files.h"
#include "eval_pairs.h"
#include "graph/builder.h"
#include "image/codec.h"
#include "import/onnx_import.h"
#include "messages.h"
#include "options.h"
#include "pipeline/inputs.h"
#include "pipeline/metrics.h"
#include "progress.h"
#include "quantise/quantise.h"

namespace atrous::cli {
namespace {

namespace fs = std::filesystem;

struct QuantizeArguments {
  std::string model, folder, labels, label_names, split = "val", method = "percentile", keep;
  std::vector<std::string> images;
  CalibrationOptions calibration;
  std::optional<int> output_stride;
  int threads = 0;
  bool recurse = false, quiet = false;
};

using Photos = std::vector<InputFile>;

/// The error's text with the file's name in it.
std::string naming(const fs::path& file, const Error& error) {
  const bool named = error.message().find(one_line(file.string())) != std::string::npos;
  return named ? error.message() : file.string() + ": " + error.message();
}

/// Label maps of the photos, found as eval does.
struct Truths {
  EvalPairs found;
  IdTable ids;                          ///< classes of their ids
  std::map<fs::path, fs::path> labels;  ///< by photo

  Truths(const QuantizeArguments& arguments, const LabelSet& set) {
    if (arguments.labels.empty()) return;
    if (arguments.images.size() != 1)
      fail(ErrorCode::invalid_argument, "--labels belongs to one folder of images, not to {} inputs",
           arguments.images.size());
    found = find_pairs({arguments.images[0], arguments.labels, arguments.split}, false);
    ids = id_table(arguments.label_names, found, set);
    for (const EvalPair& pair : found.pairs) labels.emplace(pair.prediction, pair.truth);
  }
};

/// Runs each photo through `segment`; one that cannot be read is named and left out of what is returned.
template <typename Segment>
Photos for_each_photo(const Photos& photos, bool quiet, const Segment& segment) {
  Progress progress(photos.size(), quiet);
  Photos done;
  for (const InputFile& photo : photos) {
    std::optional<Image> image;
    try {
      image = load_image(photo.file);
    } catch (const Error& error) {
      progress.clear();
      say(error.message());
    }
    if (image) {
      segment(photo, image->view());
      done.push_back(photo);
    }
    progress.advance();
  }
  progress.clear();
  if (done.empty()) fail(ErrorCode::bad_file, "none of the images can be read");
  return done;
}

/// The config as one of the model on 8 bits.
Value quantised_config(const QuantizeArguments& arguments, const ModelConfig& source, Value ranges) {
  Value config = source.file.extension() == ".onnx"
                     ? import_onnx(source.file).config
                     : load_self_contained(source.file, search_folders(), {arguments.output_stride});
  Value result = Value::map({{"name", Value::text(source.name + "-int8")}});
  for (auto& [key, value] : config.fields) {
    if (key == "name" || key == "accuracy" || key == "weights_from") continue;  // said of other weights
    if (key == "weights") value = Value::text("model.safetensors");
    result.fields.emplace_back(key, std::move(value));
  }
  result.fields.emplace_back("ranges", std::move(ranges));
  return result;
}

/// The network as it was and on 8 bits, over the same photos.
struct Comparison {
  Confusion agreement;                  ///< the fp32 labels are the truth
  std::optional<Confusion> fp32, int8;  ///< against label maps
  std::size_t images = 0, labelled = 0, broken_labels = 0;
  double fp32_ms = 0, int8_ms = 0;  ///< of the networks alone
};

Comparison compare(const QuantizeArguments& arguments, const Photos& photos, const Truths& truths,
                   const fs::path& quantised) {
  ModelOptions options{.device = "cpu", .precision = "fp32", .output_stride = arguments.output_stride};
  const SegmentOptions plain{.threads = arguments.threads, .crf = "off", .superpixels = 0};
  Segmenter before(Model::open(arguments.model, options), plain);
  options = {.device = "cpu", .precision = "int8"};
  Segmenter after(Model::open(quantised.string(), options), plain);
  const int classes = after.model().labels().size();
  Comparison result{Confusion(classes), {}, {}};
  if (!truths.labels.empty()) result.fp32 = result.int8 = Confusion(classes);
  for_each_photo(photos, arguments.quiet, [&](const InputFile& photo, const ImageView& image) {
    const SegmentResult was = before.run(image), is = after.run(image);
    result.agreement.add(was.labels, is.labels);
    result.fp32_ms += was.times.network, result.int8_ms += is.times.network;
    ++result.images;
    const auto truth = truths.labels.find(photo.file);
    if (truth == truths.labels.end()) return;
    try {
      const LabelMap labels = load_truth(truth->second, truths.ids, after.model().labels());
      result.fp32->add(labels, was.labels);
      result.int8->add(labels, is.labels);
      ++result.labelled;
    } catch (const Error& error) {
      say(naming(truth->second, error));
      ++result.broken_labels;
    }
  });
  return result;
}

void print(const Comparison& c) {
  const Scores agreement = score(c.agreement);
  std::cout << fmt::format(
      "agreement    {:.2f} % of the pixels have the label that fp32 gives, mIoU {:.4f}\n",
      100 * agreement.pixel_accuracy, agreement.mean_iou);
  if (c.labelled > 0) {
    const Scores fp32 = score(*c.fp32), int8 = score(*c.int8);
    std::cout << fmt::format(
        "accuracy     mIoU {:.4f}, fp32 {:.4f}; pixels {:.4f}, fp32 {:.4f}; over {} label maps\n",
        int8.mean_iou, fp32.mean_iou, int8.pixel_accuracy, fp32.pixel_accuracy, c.labelled);
  }
  const auto images = static_cast<double>(c.images);
  std::cout << fmt::format("network      {:.1f} ms an image, fp32 {:.1f} ms\n", c.int8_ms / images,
                           c.fp32_ms / images);
}

int quantize(QuantizeArguments arguments) {
  if (arguments.method == "entropy") arguments.calibration.method = Calibration::entropy;
  check_writable(fs::path(arguments.folder) / "model.yaml");
  const InputList list = list_inputs(arguments.images, arguments.recurse);
  const Photos& given = list.files;
  const auto model = Model::open(arguments.model, {.device = "cpu",
                                                   .precision = "fp32",
                                                   .output_stride = arguments.output_stride,
                                                   .separate_nodes = true});
  const Truths truths(arguments, model->labels());
  const std::vector<std::string> kept = split(arguments.keep);
  Quantiser quantiser(model->network()->graph(), nominal_input(model->config().input),
                      {kept.begin(), kept.end()});
  Segmenter segmenter(model, {.threads = arguments.threads, .crf = "off", .superpixels = 0});
  segmenter.set_observer([&](const Node& node, const TensorView& value) { quantiser.observe(node, value); });
  const Photos photos = for_each_photo(
      given, arguments.quiet, [&](const InputFile&, const ImageView& image) { segmenter.run(image); });
  const ImportedModel result{
      "model", quantised_config(arguments, model->config(), quantiser.ranges(arguments.calibration)),
      ImportedWeights(arguments.model, quantiser.tensors())};
  result.check(arguments.folder);
  const fs::path written = write_model(result, arguments.folder);
  std::cout << fmt::format("model        {}\nconvolutions {} on 8 bits, {} as they were\nimages       {}\n",
                           written.string(), quantiser.convolutions(), quantiser.kept(), photos.size());
  const int status = photos.size() < given.size() ? kSomeFailed : kDone;
  if (const std::string reason = model->backend().refuse_convolutions(DType::s8); !reason.empty()) {
    say(fmt::format("the accuracy is not measured: device cpu {}", reason));
    return status;
  }
  const Comparison comparison = compare(arguments, photos, truths, written);
  print(comparison);
  return comparison.broken_labels > 0 ? kSomeFailed : status;
}

}  // namespace

void add_quantize(CLI::App& app, Run& run) {
  auto arguments = std::make_shared<QuantizeArguments>();
  CLI::App* command = app.add_subcommand(
      "quantize", "a model whose convolutions run on 8 bits, from photos to calibrate with");
  command->add_option("model", arguments->model, "a model's name, or a path to its YAML or to an ONNX file")
      ->required();
  command->add_option("images", arguments->images, "photos like those it will see: files, folders, globs")
      ->required();
  command->add_option("-o,--output", arguments->folder, "folder for model.yaml and model.safetensors")
      ->required();
  command->add_flag("-r,--recurse", arguments->recurse, "sub-folders of the images too");
  command->add_option("--calibration", arguments->method, "where ranges end: percentile or entropy")
      ->check(CLI::IsMember({"percentile", "entropy"}))
      ->capture_default_str();
  command->add_option("--percentile", arguments->calibration.percentile, "of the values that are not 0")
      ->check(real_range(50.0, 100.0))
      ->capture_default_str();
  command->add_option("--keep", arguments->keep, "convolutions to leave as they are, comma separated");
  command->add_option("--labels", arguments->labels,
                      "label maps of the images, or a data set as eval takes it: measures the accuracy");
  command->add_option("--label-names", arguments->label_names,
                      "names of the label maps' ids, to merge into the model's classes");
  command->add_option("--split", arguments->split, "of the data set that --labels names")
      ->capture_default_str();
  command->add_option("--output-stride", arguments->output_stride,
                      "8, 16 or 32, in place of the model's own");
  command->add_option("--threads", arguments->threads, "CPU threads; default: all cores")
      ->check(CLI::Range(1, 1024));
  command->add_flag("-q,--quiet", arguments->quiet, "no progress");
  command->callback([arguments, &run] { run = [arguments] { return quantize(*arguments); }; });
}

}  // namespace atrous::cli
