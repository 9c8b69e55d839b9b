// SPDX-License-Identifier: Apache-2.0
#include <csignal>
#include <iostream>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "core/error.h"
#include "core/files.h"
#include "crop_options.h"
#include "image/codec.h"
#include "image/npy.h"
#include "image/overlay.h"
#include "messages.h"
#include "options.h"
#include "progress.h"

namespace atrous::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  std::vector<std::string> inputs;
  std::string folder, save = "mask";
  ModelArguments model;
  SegmentArguments segment;
  CropArguments crops;
  BatchOptions batch;
  bool recurse = false, json = false, quiet = false;
};

std::stop_source& stop_source() {
  static std::stop_source source;
  return source;
}

/// Ctrl-C: the images in flight are finished; a second one ends the program at once.
void watch_interrupt() {
  struct sigaction action {};
  action.sa_handler = [](int) { stop_source().request_stop(); };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  stop_source();
  sigaction(SIGINT, &action, nullptr);
}

std::string bytes_as_text(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Json describe(const ImageOutcome& outcome, const LabelSet& labels, bool detect) {
  const StageTimes& t = outcome.times;
  auto rounded = [](double ms) { return std::round(ms * 100) / 100; };
  Json pixels = Json::object();
  for (std::size_t id = 0; id < labels.classes.size() && !outcome.pixels.empty(); ++id)
    if (outcome.pixels[id] > 0) pixels[labels.classes[id].name] = outcome.pixels[id];
  Json line{{"file", outcome.file.string()},
            {"status", outcome.error.empty() ? "ok" : "failed"},
            {"width", outcome.width},
            {"height", outcome.height}};
  if (detect && outcome.error.empty()) line["people"] = outcome.crops.size();
  for (const Crop& crop : outcome.crops) line["boxes"].push_back({crop.x, crop.y, crop.width, crop.height});
  line["ms"] = {{"decode", rounded(t.decode)},           {"detect", rounded(t.detect)},
                {"preprocess", rounded(t.preprocess)},   {"network", rounded(t.network)},
                {"upsample", rounded(t.upsample)},       {"crf", rounded(t.crf)},
                {"superpixels", rounded(t.superpixels)}, {"encode", rounded(t.encode)}};
  line["pixels"] = pixels;
  if (!outcome.error.empty()) line["error"] = outcome.error;
  return line;
}

/// "photo.jpg: hair 3.1%, dress 20.4%", the largest first, without the background.
std::string summarise(const ImageOutcome& outcome, const LabelSet& labels) {
  std::vector<std::pair<std::int64_t, std::size_t>> found;
  std::int64_t total = 0;
  for (std::size_t id = 0; id < outcome.pixels.size(); ++id) {
    total += outcome.pixels[id];
    if (id > 0 && id < labels.classes.size() && outcome.pixels[id] > 0)
      found.emplace_back(-outcome.pixels[id], id);
  }
  std::sort(found.begin(), found.end());
  std::string text = outcome.file.string() + ":";
  for (std::size_t i = 0; i < found.size(); ++i)
    text += fmt::format("{} {} {:.1f}%", i == 0 ? "" : ",", labels.classes[found[i].second].name,
                        -100.0 * static_cast<double>(found[i].first) / static_cast<double>(total));
  return found.empty() ? text + " only " + labels.classes[0].name : text;
}

std::string dump(const Json& line) { return line.dump(-1, ' ', false, Json::error_handler_t::replace); }

void write_text(const std::filesystem::path& file, const std::string& text) {
  write_file(file, std::as_bytes(std::span(text)));
}

/// One image from stdin; the mask to stdout.
int segment_stdin(Segmenter& segmenter, const InputFile& input, const BatchOptions& options) {
  const Image photo = decode_image(read_file("-"), "stdin");
  const std::vector<Crop> crops = choose_crops(photo.view(), input.boxes, options.crops);
  const CroppedPhoto cropped{photo.view(), crops};
  const SegmentResult result =
      std::move(segment_crops(segmenter, std::span(&cropped, 1), options.batch).front());
  const std::vector<std::byte> mask = encode_mask(result.labels, segmenter.model().labels());
  std::cout << bytes_as_text(mask);
  return kDone;
}

/// "cpu (oneDNN 2.6.3, AVX2, 2 threads; no GPU: ...)" or "cuda:0 (...), cuda:1 (...)".
std::string describe_devices(const std::vector<std::shared_ptr<const Model>>& models) {
  std::string text;
  for (const auto& model : models)
    text += fmt::format("{}{} ({}{})", text.empty() ? "" : ", ", to_string(model->backend().device()),
                        model->backend().describe(),
                        model->device_note().empty() ? "" : "; no GPU: " + model->device_note());
  return text;
}

int segment_files(const Arguments& arguments, const std::vector<std::shared_ptr<const Model>>& models,
                  const SegmentOptions& options, const std::vector<InputFile>& files) {
  const Model& model = *models.front();
  const LabelSet& labels = model.labels();
  const std::filesystem::path folder = arguments.batch.folder;
  write_text(folder / "report.jsonl", "");  // an unwritable folder is found before the work
  if (!arguments.quiet) say(model.config().name + " on " + describe_devices(models));
  watch_interrupt();
  Progress progress(files.size(), arguments.quiet);
  std::string report;
  const BatchSummary summary = run_batch(
      models, options, arguments.batch, files,
      [&](const ImageOutcome& outcome) {
        const std::string line = dump(describe(outcome, labels, arguments.batch.crops.detect_people));
        report += line + "\n";
        progress.clear();
        if (!outcome.error.empty()) say(outcome.error);
        if (arguments.json) std::cout << line << std::endl;
        if (!arguments.json && !arguments.quiet && outcome.error.empty())
          std::cout << one_line(summarise(outcome, labels)) << std::endl;
        progress.advance();
      },
      stop_source().get_token());
  write_text(folder / "report.jsonl", report);
  const bool interrupted = stop_source().stop_requested();
  const Json run{{"version", ATROUS_VERSION},
                 {"inputs", arguments.inputs},
                 {"model", model.config().name},
                 {"device", to_string(model.backend().device())},
                 {"backend", model.backend().describe()},
                 {"images", files.size()},
                 {"done", summary.done},
                 {"failed", summary.failed},
                 {"interrupted", interrupted}};
  write_text(folder / "run.json", run.dump(2) + "\n");
  if (interrupted) return kInterrupted;
  return summary.failed > 0 ? kSomeFailed : kDone;
}

int segment(Arguments& arguments) {
  arguments.batch.save = parse_save(arguments.save);
  SegmentOptions options = arguments.segment.parse(arguments.model.threads);
  options.want_template_sheet = arguments.batch.save.templates;
  const bool from_stdin =
      std::find(arguments.inputs.begin(), arguments.inputs.end(), "-") != arguments.inputs.end();
  if (from_stdin && arguments.inputs.size() > 1)
    fail(ErrorCode::invalid_argument, "'-' (an image on stdin) must be the only input");
  std::vector<InputFile> files =
      from_stdin ? std::vector<InputFile>{{"-", "stdin"}} : list_inputs(arguments.inputs, arguments.recurse);
  arguments.batch.crops = arguments.crops.parse(files);
  const std::vector<std::shared_ptr<const Model>> models =
      Model::open_on(static_cast<int>(files.size()), arguments.model.model, arguments.model.options);
  Segmenter segmenter(models.front(),
                      options);  // options that make no sense fail before anything is said or written
  if (from_stdin && arguments.folder.empty()) return segment_stdin(segmenter, files.front(), arguments.batch);
  arguments.batch.folder = arguments.folder.empty() ? "atrous-out" : arguments.folder;
  refuse_to_overwrite(files, arguments.batch);
  const int status = segment_files(arguments, models, options, files);
  if (!arguments.quiet) say("results are in " + arguments.batch.folder.string());
  return status;
}

}  // namespace

void add_segment(CLI::App& app, Run& run) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("segment", "label maps (and more) for images");
  command->add_option("input", arguments->inputs, "images, folders, quoted globs, @list.txt, or - (stdin)")
      ->required();
  command->add_option("-o,--output", arguments->folder,
                      "folder of the results; default: atrous-out (for - the mask goes to stdout)");
  command
      ->add_option("--save", arguments->save, "what to write: " + list_output_kinds() + "; comma separated")
      ->capture_default_str();
  command->add_flag("-r,--recurse", arguments->recurse, "sub-folders of folders too");
  arguments->model.add_to(*command, false);
  arguments->segment.add_to(*command);
  arguments->crops.add_to(*command);
  command->add_option("--batch", arguments->batch.batch, "images of one size a run of the network")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command
      ->add_option("--workers", arguments->batch.workers, "images at the same time; they share the threads")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  command->add_flag("--fail-fast", arguments->batch.fail_fast, "stop after the first image that fails");
  command->add_flag("--json", arguments->json, "a JSON line an image on stdout");
  command->add_flag("-q,--quiet", arguments->quiet, "failures only");
  command->callback([arguments, &run] { run = [arguments] { return segment(*arguments); }; });
}

}  // namespace atrous::cli
