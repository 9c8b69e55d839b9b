// SPDX-License-Identifier: Apache-2.0
#include "pipeline/batch.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "core/error.h"
#include "core/files.h"
#include "core/parallel.h"
#include "core/stopwatch.h"
#include "image/codec.h"
#include "image/overlay.h"
#include "image/video.h"
#include "pipeline/bounded_queue.h"
#include "pipeline/in_flight.h"
#include "pipeline/resume.h"

namespace atrous {
namespace {

/// A video whose frames are on their way. The decoder has it until it has pushed the first frame, then the
/// encoder.
struct Clip {
  Stopwatch watch;
  std::optional<VideoWriter> overlay;  ///< where it is wanted
  int width = 0, height = 0;           ///< of its last frame
  VideoOutcome outcome;
  TileCount tiles;
};

/// One image on its way through the stages; or, without pixels, the end of a video.
struct Job {
  std::size_t index = 0;
  InputFile input;
  std::unique_ptr<std::string> stem;  ///< of a frame: the memory of input.stem
  std::shared_ptr<Clip> clip;         ///< of a frame and of the end
  std::optional<std::int64_t> frame;  ///< its number
  std::string note;                   ///< of the end: VideoOutcome::note
  Image photo;
  std::vector<Crop> crops;
  SegmentResult result;
  std::string error, source;
  std::size_t bytes = 0;  ///< that it holds at most, from decoding to encoding
};

int threads_of(const Model& model, const SegmentOptions& segment) {
  return segment.threads > 0 ? segment.threads : model.backend().default_threads();
}

/// BatchOptions::workers, where it is 0
int suitable_workers(const Model& model, const SegmentOptions& segment, std::size_t inputs) {
  constexpr std::size_t kMost = 4;  // each has its own activations
  if (model.backend().device().kind != DeviceKind::cpu || segment.tile.size > 0 || segment.reuse) return 1;
  const auto threads = static_cast<std::size_t>(threads_of(model, segment));
  return static_cast<int>(std::clamp<std::size_t>(std::min(threads, inputs), 1, kMost));
}

class Batch {
 public:
  Batch(const std::vector<std::shared_ptr<const Model>>& models, const SegmentOptions& segment,
        const BatchOptions& options, const std::vector<InputFile>& inputs,
        const std::function<void(const ImageOutcome&)>& finished, std::stop_token stop)
      : models_(models),
        segment_(segment),
        options_(options),
        inputs_(inputs),
        finished_(finished),
        stop_(std::move(stop)),
        decoded_(static_cast<std::size_t>(options.workers * options.batch + 1)),
        segmented_(static_cast<std::size_t>(2 * options.workers * options.batch)),
        in_flight_(static_cast<std::size_t>(options.workers * options.batch),
                   static_cast<std::size_t>(4 * options.workers * options.batch + 1),
                   options.bytes_in_flight) {
    segment_.want_probabilities = options.save.probs;
    segment_.want_template_sheet = options.save.templates;
    segment_.threads = std::max(1, threads_of(*models.front(), segment) / options.workers);
  }

  BatchSummary run() {
    std::vector<Segmenter>
        segmenters;  // made here, so that options that make no sense fail before anything runs
    for (int i = 0; i < options_.workers; ++i)
      segmenters.emplace_back(models_[static_cast<std::size_t>(i) % models_.size()], segment_);
    std::jthread decoder([this] { decode_all(); });
    std::jthread encoder([this] { encode_all(); });
    {
      std::vector<std::jthread> workers;
      for (Segmenter& segmenter : segmenters)
        workers.emplace_back([this, &segmenter] { segment_all(segmenter); });
    }
    segmented_.close();
    encoder.join();
    thrown_.rethrow();
    return summary_;
  }

 private:
  /// Runs `work`; what it throws becomes the job's error.
  template <typename Work>
  static void guarded(Job& job, const Work& work) {
    if (!job.error.empty()) return;
    try {
      work();
    } catch (const Error& error) {
      job.error = error.message();
    } catch (const std::exception& error) {  // bad_alloc and what libraries throw
      job.error = one_line(error.what());
    }
  }

  /// Runs `work` outside of any job; run() throws what it throws, and no more images are started.
  template <typename Work>
  void kept(const Work& work) {
    thrown_.keep([&] {
      try {
        work();
      } catch (...) {
        gave_up_ = true;
        throw;
      }
    });
  }

  bool stopping() const { return stop_.stop_requested() || gave_up_; }

  void decode_all() {
    for (std::size_t i = 0; i < inputs_.size() && !stopping(); ++i)
      kept([&] { is_video(inputs_[i].file) ? decode_video(inputs_[i]) : decode_photo(inputs_[i]); });
    decoded_.close();
  }

  void decode_photo(const InputFile& input) {
    Job job;
    job.input = input;
    if (!options_.settings.empty()) job.source = source_digest(options_, input);
    Stopwatch watch;
    guarded(job, [&] { job.photo = load_image(input.file); });
    push(std::move(job), watch);
  }

  void decode_video(const InputFile& input) {
    Job end;
    end.input = input;
    end.clip = std::make_shared<Clip>();
    if (!options_.settings.empty()) end.source = source_digest(options_, input);
    Stopwatch watch;
    guarded(end, [&] { end.note = decode_frames(input, end.clip); });
    if (end.error.empty() && stop_.stop_requested() && !is_camera(input.file)) return;
    push(std::move(end), watch);
  }

  /// Returns VideoOutcome::note.
  std::string decode_frames(const InputFile& input, const std::shared_ptr<Clip>& clip) {
    const auto [every, most] = options_.frames;
    VideoReader reader(input.file);
    std::int64_t number = 0;
    for (; most == 0 || number < most * every; ++number) {
      if (stopping()) return "";
      if (number % every != 0) {
        if (!reader.skip()) break;
        continue;
      }
      Stopwatch watch;
      std::optional<Image> frame = reader.read();
      if (!frame) break;
      if (options_.save.overlay && !clip->overlay)
        clip->overlay.emplace(video_path(options_.folder, input), reader.frames_per_second() / every,
                              frame->width, frame->height);
      Job job;
      job.stem = std::make_unique<std::string>(frame_stem(input, number));
      job.input = {input.file, *job.stem, input.boxes};
      job.clip = clip;
      job.frame = number;
      job.photo = std::move(*frame);
      push(std::move(job), watch);
    }
    if (number == 0) fail(ErrorCode::bad_file, "{}: has no frame that can be read", input.file);
    const std::int64_t claimed = reader.claimed_frames();
    if (number >= claimed || number == most * every) return "";
    return fmt::format("{} frames can be read of the {} that it claims to have", number, claimed);
  }

  /// `watch` runs since the decoder began with the job.
  void push(Job job, Stopwatch& watch) {
    job.result.times.decode = watch.lap();
    if (job.photo.width > 0)
      guarded(job, [&] { job.crops = choose_crops(job.photo.view(), job.input.boxes, options_.crops); });
    job.result.times.detect = watch.lap();
    job.bytes = bytes_of(job.photo);
    in_flight_.enter(job.bytes);
    job.index = pushed_++;
    decoded_.push(std::move(job));
  }

  /// The photo's, its labels' and its probabilities' where they are kept.
  std::size_t bytes_of(const Image& photo) const {
    const auto classes = static_cast<std::size_t>(models_.front()->labels().size());
    const std::size_t a_pixel = 3 + 1 + (segment_.want_probabilities ? classes * sizeof(float) : 0);
    return photo.rgb.size() / 3 * a_pixel;
  }

  void segment_all(Segmenter& segmenter) {
    while (true) {
      std::vector<Job> jobs = decoded_.pop(static_cast<std::size_t>(options_.batch));
      if (jobs.empty()) return;
      segment_group(segmenter, jobs);
      for (Job& job : jobs) segmented_.push(std::move(job));
    }
  }

  /// Together where that works; one by one where it does not, so that a failure has its own image.
  void segment_group(Segmenter& segmenter, std::vector<Job>& jobs) const {
    std::vector<Job*> good;
    std::vector<CroppedPhoto> photos;
    for (Job& job : jobs)
      if (job.error.empty() && job.photo.width > 0)
        good.push_back(&job), photos.push_back({job.photo.view(), job.crops});
    auto run = [&](std::size_t first, std::size_t count) {
      std::vector<SegmentResult> results =
          segment_crops(segmenter, std::span(photos).subspan(first, count), options_.batch);
      for (std::size_t i = 0; i < count; ++i) {
        Job& job = *good[first + i];
        results[i].times.decode = job.result.times.decode;
        results[i].times.detect = job.result.times.detect;
        job.result = std::move(results[i]);
      }
    };
    if (good.size() > 1) {
      try {
        return run(0, good.size());
      } catch (const std::exception&) {
      }
    }
    for (std::size_t i = 0; i < good.size(); ++i) guarded(*good[i], [&] { run(i, 1); });
  }

  void encode_all() {
    std::map<std::size_t, Job> waiting;  // the order of the inputs
    std::size_t next = 0;
    while (true) {
      std::vector<Job> jobs = segmented_.pop(1);
      if (jobs.empty()) return;
      waiting.emplace(jobs[0].index, std::move(jobs[0]));
      for (auto it = waiting.find(next); it != waiting.end(); it = waiting.find(++next)) {
        kept([&] { finish(it->second); });
        const std::size_t bytes = it->second.bytes;
        waiting.erase(it);
        in_flight_.leave(bytes);
      }
    }
  }

  void save(const Job& job) const {
    const LabelSet& labels = models_.front()->labels();
    const std::string name = (std::filesystem::path(job.input.stem).parent_path() /
                              std::filesystem::path(job.input.file).filename())
                                 .string();
    for (const OutputKind& kind : kOutputKinds) {
      if (!(options_.save.*kind.wanted)) continue;
      if (job.clip && is_one_video(kind))  // without a legend, whose size changes
        job.clip->overlay->add(thumbnail(job.photo.view(), job.result.labels, labels,
                                         std::max(job.photo.width, job.photo.height))
                                   .view());
      else
        write_file(output_path(options_.folder, job.input, kind),
                   encode_output(kind, job.photo.view(), job.result, labels, name));
    }
  }

  void finish(Job& job) {
    if (job.clip && !job.frame) return finish_video(job);
    Stopwatch watch;
    Image small;
    guarded(job, [&] {
      save(job);
      if (options_.thumbnails > 0)
        small =
            thumbnail(job.photo.view(), job.result.labels, models_.front()->labels(), options_.thumbnails);
    });
    job.result.times.encode = watch.lap();
    ImageOutcome outcome = outcome_of(job);
    outcome.thumbnail = std::move(small);
    if (job.error.empty()) outcome.pixels = count_pixels(job.result.labels);
    outcome.tiles = job.result.tiles;
    if (job.clip) {
      job.clip->width = job.photo.width, job.clip->height = job.photo.height;
      ++job.clip->outcome.frames;
      job.clip->outcome.failed += job.error.empty() ? 0 : 1;
      job.clip->tiles.all += outcome.tiles.all, job.clip->tiles.reused += outcome.tiles.reused;
      if (!job.error.empty() && summary_.failed >= options_.most_failures) gave_up_ = true;
      summary_.stopped = stopping();
      finished_(outcome);
    } else {
      count(outcome, job);
    }
  }

  void finish_video(Job& job) {
    Clip& clip = *job.clip;
    guarded(job, [&] {
      if (clip.overlay) clip.overlay->finish();
      if (clip.outcome.failed > 0)
        fail(ErrorCode::internal, "{} of {} frames failed", clip.outcome.failed, clip.outcome.frames);
    });
    clip.outcome.frames_per_second = 1000 * static_cast<double>(clip.outcome.frames) / clip.watch.lap();
    clip.outcome.note = job.note;
    ImageOutcome outcome = outcome_of(job);
    outcome.width = clip.width, outcome.height = clip.height;
    outcome.tiles = clip.tiles;
    outcome.video = clip.outcome;
    count(outcome, job);
  }

  /// What photos, frames and videos have in common.
  ImageOutcome outcome_of(Job& job) const {
    const std::string shown = one_line(std::string(job.input.file));
    if (!job.error.empty() && job.error.find(shown) == std::string::npos)
      job.error = shown + (job.frame ? fmt::format(": frame {}: ", *job.frame) : ": ") + job.error;
    ImageOutcome outcome{job.input.file, job.input.stem,  job.error, job.photo.width, job.photo.height, {},
                         job.crops,      job.result.times};
    outcome.frame = job.frame;
    return outcome;
  }

  /// A photo or a video is done, or failed.
  void count(ImageOutcome& outcome, const Job& job) {
    if (job.error.empty() && !options_.settings.empty()) {
      outcome.source = job.source;
      outcome.outputs = outputs_digest(options_, job.input);
    }
    ++(job.error.empty() ? summary_.done : summary_.failed);
    if (summary_.failed > options_.most_failures) gave_up_ = true;
    summary_.stopped = stopping();
    finished_(outcome);
  }

  const std::vector<std::shared_ptr<const Model>>& models_;
  SegmentOptions segment_;
  const BatchOptions& options_;
  const std::vector<InputFile>& inputs_;
  const std::function<void(const ImageOutcome&)>& finished_;
  std::stop_token stop_;
  BoundedQueue<Job> decoded_, segmented_;
  /// One slow image must not let all behind it pile up in memory.
  InFlight in_flight_;
  std::size_t pushed_ = 0;  ///< jobs so far
  std::atomic<bool> gave_up_{false};
  Thrown thrown_;
  BatchSummary summary_;
};

}  // namespace

std::filesystem::path output_path(const std::filesystem::path& folder, const InputFile& input,
                                  const OutputKind& kind) {
  return (folder / input.stem).string() + kind.ending;
}

std::string frame_stem(const InputFile& video, std::int64_t number) {
  return fmt::format("{}/{:06}", video.stem, number);
}

bool is_one_video(const OutputKind& kind) { return kind.wanted == &SaveOptions::overlay; }

std::filesystem::path video_path(const std::filesystem::path& folder, const InputFile& video) {
  return (folder / video.stem).string() + ".overlay.mp4";
}

void refuse_to_overwrite(const std::vector<InputFile>& inputs, const BatchOptions& options) {
  namespace fs = std::filesystem;
  std::error_code status;
  std::unordered_map<std::string, fs::path> folders;  // files share few, and resolving one asks the system
  auto resolve_folder = [&](const fs::path& file) -> const fs::path& {
    const auto [known, is_new] = folders.try_emplace(file.parent_path().string());
    if (is_new) known->second = fs::weakly_canonical(fs::absolute(file, status).parent_path(), status);
    return known->second;
  };
  std::unordered_set<std::string> written_folders;
  for (const InputFile& input : inputs)
    written_folders.insert(resolve_folder(options.folder / input.stem).string());
  std::unordered_set<std::string> photos;  // where outputs go; mostly none
  std::unordered_set<std::string> folders_of_photos;
  auto add_photo = [&](const fs::path& folder, const fs::path& name) {
    folders_of_photos.insert(folder.string());
    if (written_folders.contains(folder.string())) photos.insert((folder / name).string());
  };
  for (const InputFile& input : inputs) {
    const fs::path file(input.file);
    add_photo(resolve_folder(file), file.filename());
    if (!fs::is_symlink(file, status)) continue;
    const fs::path meant = fs::weakly_canonical(file, status);
    add_photo(meant.parent_path(), meant.filename());
  }
  if (photos.empty() &&
      std::none_of(inputs.begin(), inputs.end(), [](const InputFile& input) { return is_video(input.file); }))
    return;
  for (const InputFile& input : inputs)
    for (const OutputKind& kind : kOutputKinds) {
      if (!(options.save.*kind.wanted)) continue;
      const bool video = is_video(input.file), in_folder = video && !is_one_video(kind);
      const fs::path output = in_folder ? options.folder / input.stem / ""
                              : video   ? video_path(options.folder, input)
                                        : output_path(options.folder, input, kind);
      if (in_folder && folders_of_photos.contains(resolve_folder(output).string()))
        fail(ErrorCode::invalid_argument,
             "{}: has inputs in it, which frames would overwrite; choose another folder", output.string());
      if (!in_folder && photos.contains((resolve_folder(output) / output.filename()).string()))
        fail(ErrorCode::invalid_argument, "{}: is an input and would be overwritten; choose another folder",
             output.string());
    }
}

BatchSummary run_batch(const std::vector<std::shared_ptr<const Model>>& models, const SegmentOptions& segment,
                       const BatchOptions& given, const std::vector<InputFile>& inputs,
                       const std::function<void(const ImageOutcome&)>& finished, std::stop_token stop) {
  BatchOptions options = given;
  if (options.workers == 0) options.workers = suitable_workers(*models.front(), segment, inputs.size());
  options.workers = std::max(options.workers, static_cast<int>(models.size()));
  return Batch(models, segment, options, inputs, finished, std::move(stop)).run();
}

}  // namespace atrous
