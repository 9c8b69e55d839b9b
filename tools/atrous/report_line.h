// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "pipeline/batch.h"

namespace atrous::cli {

/// What became of an image, as report.jsonl and --json say it: file, name, status, width, height, people
/// (where they were looked for), boxes (where there were any), ms a stage, pixels a class, error, and the
/// digests of pipeline/resume.h. A frame has video (the video's name), frame (its number), tiles and
/// tiles_reused too; a video, in place of ms and pixels, frames, frames_per_second, tiles, tiles_reused and
/// note.
nlohmann::ordered_json describe(const ImageOutcome& outcome, const LabelSet& labels, bool detect);

/// "photo.jpg: hair 3.1%, dress 20.4%", the largest first, without the background; of a frame "clip.mp4 12:
/// hair ...".
std::string summarise(const ImageOutcome& outcome, const LabelSet& labels);
/// "clip.mp4: 300 frames, 12.34 frames/s, 71 % of tiles reused".
std::string summarise_video(const ImageOutcome& outcome);

/// JSON in one line, whatever bytes its strings hold.
std::string dump(const nlohmann::ordered_json& line);

}  // namespace atrous::cli
