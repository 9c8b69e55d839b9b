// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/interrupt.h"
#include "cli/open_model.h"
#include "cli/progress.h"
#include "cli/run_record.h"
#include "cli/shares.h"
#include "cli/terminal.h"
#include "core/error.h"
#include "core/files.h"
#include "image/codec.h"
#include "pipeline/batch.h"
#include "pipeline/inputs.h"
#include "pipeline/report.h"

namespace atrous::cli {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kDefaultFolder = "atrous-out";

struct Options {
  std::vector<std::string> inputs;
  std::string model, output, save = "mask", scales = "1";
  DeviceArguments device;
  RefineArguments refine;
  bool recurse = false, flip = false, fail_fast = false, json = false, quiet = false;
  int batch = 1, workers = 1;
};

SaveFlags parse_save(const std::string& text) {
  SaveFlags save{false, false, false, false};
  for (const std::string& word : split_list("--save", text)) {
    if (word == "mask")
      save.mask = true;
    else if (word == "overlay")
      save.overlay = true;
    else if (word == "color")
      save.color = true;
    else if (word == "probs")
      save.probs = true;
    else if (word == "rle" || word == "polygons")
      fail(ErrorCode::unsupported, "--save {}: this version does not write it (mask, overlay, color, probs)",
           word);
    else
      fail(ErrorCode::invalid_argument, "--save: '{}' is none of mask, overlay, color, probs", word);
  }
  return save;
}

SegmentOptions segment_options(const Options& options) {
  SegmentOptions segment;
  segment.threads = options.device.threads;
  segment.scales = parse_scales(options.scales);
  segment.flip = options.flip;
  options.refine.apply(segment);
  return segment;
}

/// One photo from standard input, its mask to standard output.
int segment_stream(const Options& options, const SegmentOptions& segment) {
  parse_save(options.save);
  if (options.save != "mask" || options.json)
    fail(ErrorCode::invalid_argument,
         "'-' writes the mask to standard output; --json or another --save needs -o DIR");
  if (is_terminal(fileno(stdout)))
    fail(ErrorCode::invalid_argument, "the mask would go to the terminal; redirect it, or use -o DIR");
  const auto model = open_model(options.model, options.device, options.quiet);
  Segmenter segmenter(model, segment);
  try {
    const Image image = decode_image(read_file("-"), "standard input");
    const std::vector<std::byte> png = encode_mask(segmenter.run(image.view()).labels, model->labels());
    std::fwrite(png.data(), 1, png.size(), stdout);
  } catch (const Error& error) {
    say(error.message());
    return kSomeFailed;
  }
  return kDone;
}

/// Makes the folder now: no photo is read where nothing can be written.
void make_folder(const fs::path& folder) {
  std::error_code status;
  fs::create_directories(folder, status);
  if (status || !fs::is_directory(folder))
    fail(ErrorCode::io, "{}: cannot make this output folder: {}", folder.string(),
         status ? status.message() : "something else has that name");
}

void print_report(const ImageReport& report, const LabelSet& labels, const Options& options,
                  Progress& progress) {
  if (!report.ok) progress.message(report.error);
  if (options.json)
    progress.result(report_line(report, labels));
  else if (report.ok && !options.quiet)
    progress.result(printable(report.file) + ": " + shares_text(report.pixels, labels));
  progress.advance(!report.ok);
}

int segment_files(const Options& options, const SegmentOptions& segment,
                  const std::vector<std::string>& words) {
  const fs::path folder = options.output.empty() ? fs::path(kDefaultFolder) : fs::path(options.output);
  const BatchOptions batch{list_inputs(options.inputs, options.recurse),
                           folder,
                           parse_save(options.save),
                           options.workers,
                           options.batch,
                           options.fail_fast};
  Interrupt interrupt;  // before the first thread of OpenMP
  const auto model = open_model(options.model, options.device, options.quiet);
  make_folder(folder);
  BatchSummary summary;
  {
    Progress progress(batch.inputs.size(), options.quiet);
    summary = run_batch(
        model, segment, batch,
        [&](const ImageReport& report) { print_report(report, model->labels(), options, progress); },
        interrupt.token());
  }
  const bool interrupted = interrupt.requested();
  write_run_record(folder, words, *model, summary, interrupted);
  if (!options.quiet)
    say(fmt::format("{} written to {}, {} failed{}, {:.2f} s", summary.done, folder.string(), summary.failed,
                    summary.left > 0 ? fmt::format(", {} not started", summary.left) : "", summary.seconds));
  return interrupted ? kInterrupted : summary.failed > 0 ? kSomeFailed : kDone;
}

int run(const Options& options, const std::vector<std::string>& words) {
  const SegmentOptions segment = segment_options(options);
  const bool stream = std::find(options.inputs.begin(), options.inputs.end(), "-") != options.inputs.end();
  if (stream && options.inputs.size() > 1)
    fail(ErrorCode::invalid_argument, "'-' is one photo on standard input and stands alone");
  return stream && options.output.empty() ? segment_stream(options, segment)
                                          : segment_files(options, segment, words);
}

}  // namespace

Command make_segment() {
  auto app = make_parser("segment", "Label maps (and more) for images");
  auto options = std::make_shared<Options>();
  app->add_option(
         "INPUT", options->inputs,
         "images (jpeg, png, webp, tiff, bmp), folders, quoted globs, @list.txt, or - for one image on "
         "standard input (then the mask goes to standard output unless -o)")
      ->required();
  app->add_option("-m,--model", options->model,
                  "a model's name, or a path to its YAML (default: the embedded model)")
      ->envname("ATROUS_MODEL");
  app->add_option("-o,--output", options->output, "folder of the results (default: atrous-out)");
  app->add_flag("-r,--recursive", options->recurse, "folders with their sub-folders, which are kept in -o");
  app->add_option("--save", options->save, "mask, overlay, color, probs; comma separated")
      ->capture_default_str();
  options->refine.add_to(*app, false);
  app->add_option("--scales", options->scales, "multi-scale inference, e.g. 0.5,0.75,1")
      ->capture_default_str();
  app->add_flag("--flip", options->flip, "mirrored inference too");
  app->add_option("--batch", options->batch, "images that go through the network together")
      ->envname("ATROUS_BATCH")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app->add_option("--workers", options->workers, "images in flight, each with a share of --threads")
      ->envname("ATROUS_WORKERS")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  options->device.add_to(*app);
  app->add_flag("--fail-fast", options->fail_fast, "stop at the first image that fails");
  app->add_flag("--json", options->json, "a JSON line an image on standard output");
  app->add_flag("-q,--quiet", options->quiet, "no progress, no result lines; errors are still said");
  app->footer(
      "Writes DIR/NAME.png (8-bit indexed, pixel = class id), .overlay.jpg, .color.png, .probs.npy as --save "
      "says,\n"
      "DIR/report.jsonl (a line an image) and DIR/run.json. Defaults of options that have one also come "
      "from\n"
      "ATROUS_MODEL, ATROUS_DEVICE, ATROUS_PRECISION, ATROUS_THREADS, ATROUS_BATCH and ATROUS_WORKERS.\n"
      "CRF keys: iterations, gaussian_sxy, gaussian_weight, bilateral_sxy, bilateral_srgb, "
      "bilateral_weight,\n"
      "normalization (none, before, after, symmetric).");
  return {app, [options](const auto& words) { return run(*options, words); }};
}

}  // namespace atrous::cli
