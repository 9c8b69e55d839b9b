// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <stop_token>
#include <vector>

#include "pipeline/crops.h"
#include "pipeline/inputs.h"
#include "pipeline/outputs.h"

namespace atrous {

/// Which frames of a video are segmented.
struct FrameOptions {
  int every = 1;          ///< of so many the first
  std::int64_t most = 0;  ///< of these so many; 0: all
};

struct BatchOptions {
  std::filesystem::path folder;  ///< of the outputs, see OutputKind
  SaveOptions save;
  /// Images (groups of `batch`) in the network at the same time, at least one a device; they share the
  /// threads. 0: on the CPU, where images side by side use cores better than threads side by side, up to
  /// four; one on other devices, for tiles and for frames that repeat.
  int workers = 0;
  int batch = 1;  ///< images, or crops of them, a run of the network
  /// Stop when more images than that have failed.
  std::size_t most_failures = std::numeric_limits<std::size_t>::max();
  /// Of photos and their results between decoding and encoding; what keeps all workers busy is let in anyway.
  std::size_t bytes_in_flight = std::size_t{256} << 20U;
  CropOptions crops;  ///< what becomes of the inputs' boxes
  FrameOptions frames;
  /// settings_digest of resume.h; "": outcomes are not to be resumed from, and have no digests.
  std::string settings;
  int thumbnails = 0;  ///< longest side of ImageOutcome::thumbnail; 0: none are made
};

/// A video, after its last frame.
struct VideoOutcome {
  std::int64_t frames = 0, failed = 0;
  double frames_per_second = 0;  ///< that were read, segmented and written
  std::string note;              ///< what is odd about the file; "": nothing
};

/// What became of one image: a photo, a frame of a video, or (after its frames) a video.
struct ImageOutcome {
  std::filesystem::path file, stem;  ///< of the input
  std::string error;                 ///< "" = done
  int width = 0, height = 0;
  std::vector<std::int64_t> pixels;  ///< of each id
  std::vector<Crop> crops;           ///< what went through the network; none: the whole photo
  StageTimes times;
  Image thumbnail;                    ///< with the classes over it, of an image that is done
  std::string source, outputs;        ///< digests of resume.h, of a photo or a video that is done
  TileCount tiles;                    ///< of a video: of all its frames
  std::optional<std::int64_t> frame;  ///< its number in the video, from 0 on
  std::optional<VideoOutcome> video;
};

struct BatchSummary {
  std::size_t done = 0, failed = 0;  ///< photos and videos; of a video that is done every frame is
  bool stopped = false;              ///< by the token or most_failures: the rest was not started
};

/// Where that output of the image, or of a frame of a video, goes.
std::filesystem::path output_path(const std::filesystem::path& folder, const InputFile& input,
                                  const OutputKind& kind);

/// The stem of a video's frame of that number: in a folder of the video's name.
std::string frame_stem(const InputFile& video, std::int64_t number);

/// The kind is not a file a frame, but one video at video_path.
bool is_one_video(const OutputKind& kind);
std::filesystem::path video_path(const std::filesystem::path& folder, const InputFile& video);

/// Throws Error{invalid_argument} where an output would replace one of the inputs.
void refuse_to_overwrite(const std::vector<InputFile>& inputs, const BatchOptions& options);

/// `models`: one model, once a device; the workers take turns among them. Decodes, segments and encodes as a
/// pipeline with bounded queues. A broken image, or frame of a video, fails alone. `finished` is called for
/// every started image in the order of `inputs`, one call at a time; for a video once a frame, then for the
/// video, unless it was stopped, which is a camera's usual end but leaves a file undone. What it throws is
/// thrown once the images under way are done; no more are started. Outputs do not depend on workers, batch or
/// threads.
BatchSummary run_batch(const std::vector<std::shared_ptr<const Model>>& models, const SegmentOptions& segment,
                       const BatchOptions& options, const std::vector<InputFile>& inputs,
                       const std::function<void(const ImageOutcome&)>& finished, std::stop_token stop = {});

}  // namespace atrous
