// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "core/error.h"
#include "core/files.h"
#include "core/stopwatch.h"
#include "crop_options.h"
#include "html_report.h"
#include "image/codec.h"
#include "image/overlay.h"
#include "image/video.h"
#include "interrupts.h"
#include "messages.h"
#include "model_run.h"
#include "options.h"
#include "pipeline/resume.h"
#include "pipeline/shard.h"
#include "progress.h"
#include "report_line.h"

namespace atrous::cli {
namespace {

using Json = nlohmann::ordered_json;

struct SegmentCommand {
  std::vector<std::string> inputs;
  std::string folder, save = "mask";
  ModelArguments model;
  SegmentArguments segment;
  CropArguments crops;
  BatchOptions batch;
  bool recurse = false, json = false, quiet = false, resume = false, reuse = true;
  std::string shard_text, html;  ///< as given; "" = not given
  Shard shard;
  std::vector<std::string> command;  ///< the words of the command line
};

std::string bytes_as_text(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

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

bool has_video(const std::vector<InputFile>& files) {
  return std::any_of(files.begin(), files.end(), [](const InputFile& input) { return is_video(input.file); });
}

/// What a resumed run leaves alone, in a line.
void say_resumed(std::size_t images, const Resumed& resumed) {
  const std::size_t left = resumed.left.size();
  std::string text = fmt::format("{} of {} images were done before, {} to do", images - left, images, left);
  if (resumed.changed > 0)
    text += fmt::format(" ({} again: the file, the model, the settings or the outputs are not as they were)",
                        resumed.changed);
  say(text);
}

int segment_files(const SegmentCommand& arguments, const std::vector<std::shared_ptr<const Model>>& models,
                  const SegmentOptions& options, const std::vector<InputFile>& files) {
  const Model& model = *models.front();
  const LabelSet& labels = model.labels();
  BatchOptions batch = arguments.batch;
  batch.settings = settings_digest(model, options, batch);
  const std::filesystem::path report = batch.folder / shard_file("report", arguments.shard, ".jsonl");
  Resumed resumed{files};
  if (arguments.resume)
    resumed = resume(files, batch, report);
  else
    write_text(report, "");
  LineWriter lines(report);  // an unwritable folder is found before the work
  std::optional<HtmlReport> page;
  if (!arguments.html.empty()) {
    if (arguments.resume) remove_leftovers({arguments.html});
    page.emplace(arguments.html, labels);
    page->add_earlier(report);
    batch.thumbnails = HtmlReport::kThumbnail;
  }
  if (!arguments.quiet) say(model.config().name + " on " + describe_devices(models));
  if (!arguments.quiet && arguments.resume) say_resumed(files.size(), resumed);
  const std::stop_token interrupted = watch_interrupts();
  Stopwatch watch;
  Progress progress(has_video(resumed.left) ? 0 : resumed.left.size(),
                    arguments.quiet || resumed.left.empty());
  std::int64_t frames = 0;
  std::string unwritten;  // why a report is not whole
  const BatchSummary summary = run_batch(
      models, options, batch, resumed.left,
      [&](const ImageOutcome& outcome) {
        const Json described = describe(outcome, labels, batch.crops.detect_people);
        const std::string line = dump(described);
        if (page) page->add(described, outcome.thumbnail);
        try {
          lines.add(line);
        } catch (const Error& error) {
          unwritten = error.message();
        }
        progress.clear();
        if (!outcome.error.empty()) say(outcome.error);
        if (outcome.video) {
          frames += outcome.video->frames;
          if (!outcome.video->note.empty()) say(outcome.file.string() + ": " + outcome.video->note);
          if (!arguments.quiet && outcome.video->frames > 0) say(summarise_video(outcome));
        }
        if (arguments.json) std::cout << line << std::endl;
        if (!arguments.json && !arguments.quiet && outcome.error.empty() && !outcome.video)
          std::cout << one_line(summarise(outcome, labels)) << std::endl;
        if (!outcome.video) progress.advance();
      },
      interrupted);
  const Json run{{"command", arguments.command},
                 {"version", ATROUS_VERSION},
                 {"inputs", arguments.inputs},
                 {"model", model.config().name},
                 {"model_digest", model.digest()},
                 {"device", to_string(model.backend().device())},
                 {"backend", model.backend().describe()},
                 {"shard", fmt::format("{}/{}", arguments.shard.index, arguments.shard.count)},
                 {"images", files.size()},
                 {"skipped", files.size() - resumed.left.size()},
                 {"done", summary.done},
                 {"failed", summary.failed},
                 {"frames", frames},
                 {"seconds", std::round(watch.lap()) / 1000},
                 {"interrupted", interrupted.stop_requested()}};
  try {
    write_text(batch.folder / shard_file("run", arguments.shard, ".json"),
               run.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    if (page) page->finish(run);
  } catch (const Error& error) {
    unwritten = error.message();
  }
  if (!unwritten.empty()) say(unwritten);
  if (interrupted.stop_requested()) return kInterrupted;
  return summary.failed > 0 || !unwritten.empty() ? kSomeFailed : kDone;
}

int segment(SegmentCommand& arguments) {
  arguments.batch.save = parse_save(arguments.save);
  SegmentOptions options = arguments.segment.parse(arguments.model.threads);
  options.want_template_sheet = arguments.batch.save.templates;
  const bool from_stdin =
      std::find(arguments.inputs.begin(), arguments.inputs.end(), "-") != arguments.inputs.end();
  if (from_stdin && (arguments.inputs.size() > 1 || arguments.resume || !arguments.shard_text.empty()))
    fail(ErrorCode::invalid_argument,
         "'-' (an image on stdin) must be the only input, without --resume and --shard");
  const std::string ending = std::filesystem::path(arguments.html).extension().string();
  if (!arguments.html.empty() && ending != ".html" && ending != ".htm")
    fail(ErrorCode::invalid_argument, "--report: '{}' does not end in .html", arguments.html);
  if (!arguments.shard_text.empty()) arguments.shard = parse_shard(arguments.shard_text, std::getenv);
  InputList list =
      from_stdin ? InputList{{{"-", "stdin"}}} : list_inputs(arguments.inputs, arguments.recurse);
  std::vector<InputFile>& files = list.files;
  arguments.batch.crops = arguments.crops.parse(files);
  arguments.batch.folder = arguments.folder.empty() ? "atrous-out" : arguments.folder;
  const bool to_stdout = from_stdin && arguments.folder.empty();
  if (to_stdout && (!arguments.html.empty() || arguments.json || arguments.save != "mask"))
    fail(ErrorCode::invalid_argument, "'-' writes its mask to stdout; --save, --json and --report need -o");
  if (!to_stdout) refuse_to_overwrite(files, arguments.batch);
  files = take_shard(std::move(files), arguments.shard);
  options.reuse = arguments.reuse && has_video(files);
  const std::vector<std::shared_ptr<const Model>> models = Model::open_on(
      std::max(1, static_cast<int>(files.size())), arguments.model.model, arguments.model.options);
  Segmenter segmenter(models.front(),
                      options);  // options that make no sense fail before anything is said or written
  if (to_stdout) return segment_stdin(segmenter, files.front(), arguments.batch);
  if (!arguments.quiet && !segmenter.tile_note().empty()) say("--tile: " + segmenter.tile_note());
  const int status = segment_files(arguments, models, options, files);
  if (!arguments.quiet) say("results are in " + arguments.batch.folder.string());
  return status;
}

}  // namespace

void add_segment(CLI::App& app, Run& run, const std::vector<std::string>& words) {
  auto arguments = std::make_shared<SegmentCommand>();
  arguments->command = words;
  CLI::App* command = app.add_subcommand("segment", "label maps (and more) for images");
  command
      ->add_option(
          "input", arguments->inputs,
          "images, folders, quoted globs, @list.txt, or - (an image on stdin); videos (mp4, mov, avi, "
          "mkv, webm; those in folders only by a glob), camera:0, frames/%04d.png")
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
      ->add_option(
          "--workers", arguments->batch.workers,
          "images at the same time; they share the threads; default: on the CPU up to 4, otherwise 1")
      ->check(CLI::Range(1, 256));
  command
      ->add_option("--every", arguments->batch.frames.every, "of a video every N-th frame, from the first on")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command
      ->add_option("--frames", arguments->batch.frames.most,
                   "of a video or camera so many frames at most; a camera goes on until Ctrl-C without")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40));
  command->add_flag_callback(
      "--no-reuse", [arguments] { arguments->reuse = false; },
      "compute all tiles of every frame of a video, not only those whose pixels have changed "
      "(the same masks, slower)");
  command->add_flag("--resume", arguments->resume,
                    "leave alone what an earlier run into the folder did with the same model and settings");
  command->add_option(
      "--shard", arguments->shard_text,
      "I/N: only the I-th of N parts of the inputs, I from 1 on; auto: as a Slurm array or an "
      "indexed Kubernetes job says");
  command->add_option("--report", arguments->html,
                      "an HTML file to write: a page with thumbnails, areas, times and failures");
  CLI::Option* budget = command
                            ->add_option("--max-failures", arguments->batch.most_failures,
                                         "stop when more than so many images have failed")
                            ->check(CLI::Range(0, 1'000'000'000));
  command
      ->add_flag_callback(
          "--fail-fast", [arguments] { arguments->batch.most_failures = 0; },
          "stop after the first image that fails")
      ->excludes(budget);
  command->add_flag("--json", arguments->json, "a JSON line an image on stdout");
  command->add_flag("-q,--quiet", arguments->quiet, "failures only");
  command->callback([arguments, &run] { run = [arguments] { return segment(*arguments); }; });
}

}  // namespace atrous::cli
