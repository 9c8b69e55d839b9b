// SPDX-License-Identifier: Apache-2.0
// What a later run of the same work needs to know which images are done. A report's line of a finished image
// holds two digests: of all that its outputs were made from, and of the sizes and times of the files that
// were written. The line comes after the files; a run that is killed in between does that image again.
// Because the second digest is compared with what lies in the folder, a line stays true or is seen not to be,
// whichever runs, shards or settings wrote there since.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pipeline/batch.h"

namespace atrous {

/// Digest of all but the photo that decides the bytes of the outputs: version, model, device kind, precision,
/// options. An option that changes results belongs here.
std::string settings_digest(const Model& model, const SegmentOptions& segment, const BatchOptions& options);

/// Digest of BatchOptions::settings, the input's names and boxes, and its file's size and time as they are
/// now.
std::string source_digest(const BatchOptions& options, const InputFile& input);

/// Digest of the sizes and times (to the millisecond) of the image's outputs as they lie in the folder; ""
/// where one is missing. Of a video: of all its frames', as many as follow each other.
std::string outputs_digest(const BatchOptions& options, const InputFile& input);

/// The members of a report's line that a later run goes by.
struct LineKeys {
  static constexpr const char* kName = "name";        ///< the input's stem
  static constexpr const char* kVideo = "video";      ///< of a frame: the video's stem
  static constexpr const char* kSource = "source";    ///< source_digest before the photo was read
  static constexpr const char* kOutputs = "outputs";  ///< outputs_digest after they were written
};

struct Resumed {
  std::vector<InputFile> left;  ///< what is to do, in the order given
  std::size_t changed = 0;      ///< of these: were done, but from another file or otherwise, or are not whole
};

/// Removes the temporary files that a killed run left of these; of any file in a folder that is named as
/// "FOLDER/".
void remove_leftovers(const std::vector<std::filesystem::path>& files);

/// Finds what is done, by all reports in the output folder (report.jsonl and those of shards; lines that are
/// broken or cut short are passed over). Writes `report` anew, through a temporary name: its lines of images
/// that are not among `inputs`, then the lines of those that are done. Removes leftovers of the report and of
/// the outputs of what is to do. A video is done as a whole or not at all; its frames' lines stay with its
/// own. Throws Error{io}.
Resumed resume(const std::vector<InputFile>& inputs, const BatchOptions& options,
               const std::filesystem::path& report);

}  // namespace atrous
