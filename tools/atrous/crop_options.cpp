// SPDX-License-Identifier: Apache-2.0
#include "crop_options.h"

#include "core/error.h"
#include "messages.h"
#include "pipeline/box_list.h"

namespace atrous::cli {

constexpr double kDetectedEnlarge = 1.2;  ///< the detector's boxes are tight, and cut feet and hands off

void CropArguments::add_to(CLI::App& command) {
  CLI::Option* box = command.add_option(
      "--box", boxes, "x,y,w,h: look only at this box of every photo, in its pixels; again for more people");
  box->allow_extra_args(false);
  CLI::Option* list = command.add_option(
      "--boxes", csv, "a CSV of boxes, file,x,y,w,h a line; photos without a line are taken whole");
  CLI::Option* people = command.add_option(
      "--detect", detect, "people: look only at the people found, at the whole photo where there are none");
  box->excludes(list)->excludes(people);
  list->excludes(people);
  command.add_option("--enlarge", enlarge,
                     "factor on every box about its centre; default: 1, with --detect 1.2");
}

CropOptions CropArguments::parse(std::vector<InputFile>& inputs) const {
  if (!detect.empty() && detect != "people")
    fail(ErrorCode::invalid_argument, "--detect: there is no '{}' (people)", detect);
  if (enlarge && boxes.empty() && csv.empty() && detect.empty())
    fail(ErrorCode::invalid_argument, "--enlarge needs --box, --boxes or --detect");
  if (enlarge && !(*enlarge >= 0.1 && *enlarge <= 10))
    fail(ErrorCode::invalid_argument, "--enlarge: {} is not between 0.1 and 10", *enlarge);
  for (const std::string& text : boxes) {
    const PhotoBox box = parse_box(text);
    for (InputFile& input : inputs) input.boxes.push_back(box);
  }
  if (!csv.empty()) {
    const std::vector<BoxLine> strangers = assign_boxes(csv, load_boxes(csv), inputs);
    if (!strangers.empty())
      say(fmt::format("{}: {} of its lines name no input, the first is line {}: '{}'", csv, strangers.size(),
                      strangers.front().line, strangers.front().file));
  }
  const bool detects = !detect.empty();
  return {detects, enlarge.value_or(detects ? kDetectedEnlarge : 1)};
}

}  // namespace atrous::cli
