// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <limits>
#include <stop_token>
#include <vector>

#include "pipeline/crops.h"
#include "pipeline/inputs.h"
#include "pipeline/outputs.h"

namespace atrous {

struct BatchOptions {
  std::filesystem::path folder;  ///< of the outputs, see OutputKind
  SaveOptions save;
  /// Images (groups of `batch`) in the network at the same time, at least one a device; they share the
  /// threads.
  int workers = 1;
  int batch = 1;  ///< images, or crops of them, a run of the network
  /// Stop when more images than that have failed.
  std::size_t most_failures = std::numeric_limits<std::size_t>::max();
  /// Of photos and their results between decoding and encoding; what keeps all workers busy is let in anyway.
  std::size_t bytes_in_flight = std::size_t{256} << 20U;
  CropOptions crops;  ///< what becomes of the inputs' boxes
  /// settings_digest of resume.h; "": outcomes are not to be resumed from, and have no digests.
  std::string settings;
  int thumbnails = 0;  ///< longest side of ImageOutcome::thumbnail; 0: none are made
};

/// What became of one image.
struct ImageOutcome {
  std::filesystem::path file, stem;  ///< of the input
  std::string error;                 ///< "" = done
  int width = 0, height = 0;
  std::vector<std::int64_t> pixels;  ///< of each id
  std::vector<Crop> crops;           ///< what went through the network; none: the whole photo
  StageTimes times;
  Image thumbnail;              ///< with the classes over it, of an image that is done
  std::string source, outputs;  ///< digests of resume.h, of an image that is done
};

struct BatchSummary {
  std::size_t done = 0, failed = 0;
  bool stopped = false;  ///< by the token or most_failures: the rest was not started
};

/// Where that output of the image goes.
std::filesystem::path output_path(const std::filesystem::path& folder, const InputFile& input,
                                  const OutputKind& kind);

/// Throws Error{invalid_argument} where an output would replace one of the inputs.
void refuse_to_overwrite(const std::vector<InputFile>& inputs, const BatchOptions& options);

/// `models`: one model, once a device; the workers take turns among them. Decodes, segments and encodes as a
/// pipeline with bounded queues. A broken image fails alone. `finished` is called for every started image in
/// the order of `inputs`, one call at a time. Outputs do not depend on workers, batch or threads.
BatchSummary run_batch(const std::vector<std::shared_ptr<const Model>>& models, const SegmentOptions& segment,
                       const BatchOptions& options, const std::vector<InputFile>& inputs,
                       const std::function<void(const ImageOutcome&)>& finished, std::stop_token stop = {});

}  // namespace atrous
