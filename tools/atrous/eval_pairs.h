// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "config/labels.h"
#include "core/image.h"
#include "pipeline/dataset.h"

namespace atrous::cli {

/// What `eval` was given.
struct EvalFolders {
  std::string predictions;    ///< a folder of masks or photos, or a data set with photos of its own
  std::string labels;         ///< a folder of label maps or a data set; "" where `predictions` is one
  std::string split = "val";  ///< of the data set
  std::string list;           ///< a file with the stems that count; "" = all
};

struct EvalPair {
  std::filesystem::path prediction, truth;  ///< a mask or a photo, and its label map
};

struct EvalPairs {
  std::vector<EvalPair> pairs;
  std::optional<Dataset> dataset;  ///< that the label maps are of
  std::size_t missing = 0;         ///< of its images that have no prediction; said in one line
};

/// Predictions (`masks`: masks, else photos) beside their label maps, by their stems; in a data set by the
/// file's name alone where the folders differ. Throws Error{not_found | invalid_argument} where there is none
/// to compare.
EvalPairs find_pairs(const EvalFolders& folders, bool masks);

/// The class of each id of the label maps: what the data set says, else by the names of the ids (a file; "" =
/// ids are classes) and the label set's merge table. Throws Error{invalid_argument | not_found}.
IdTable id_table(const std::string& label_names, const EvalPairs& pairs, const LabelSet& set);

/// The label map in `file` in the set's classes and 255. Throws Error{bad_file | ...} naming the file, also
/// where an id is neither.
LabelMap load_truth(const std::filesystem::path& file, const IdTable& table, const LabelSet& set);

}  // namespace atrous::cli
