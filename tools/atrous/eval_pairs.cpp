// SPDX-License-Identifier: Apache-2.0
#include "eval_pairs.h"

#include <algorithm>
#include <map>
#include <unordered_set>

#include "core/error.h"
#include "core/files.h"
#include "image/codec.h"
#include "messages.h"
#include "pipeline/inputs.h"

namespace atrous::cli {
namespace {

namespace fs = std::filesystem;
using Files = std::map<std::string, fs::path>;

/// The images in a folder and below it by their stems; not the other outputs of `segment`.
Files files_in(const std::string& folder) {
  Files files;
  const InputList list = list_inputs({folder}, true);
  for (const auto& [file, stem, boxes] : list.files)
    if (!stem.ends_with(".overlay") && !stem.ends_with(".color")) files.emplace(stem, file);
  return files;
}

std::string bare(const std::string& stem) { return stem.substr(stem.find_last_of('/') + 1); }

bool is_mask(const EvalPair& pair) { return has_extension(pair.prediction, {"png"}); }

/// The stems that count.
class Wanted {
 public:
  explicit Wanted(const std::string& list) : all_(list.empty()) {
    if (all_) return;
    const std::vector<std::string> words = read_words(list);
    stems_.insert(words.begin(), words.end());
  }
  bool operator()(const std::string& stem) const { return all_ || stems_.contains(stem); }

 private:
  bool all_;
  std::unordered_set<std::string> stems_;
};

EvalPairs pair_folders(const EvalFolders& folders) {
  const Wanted wanted(folders.list);
  const Files truths = files_in(folders.labels);
  EvalPairs result;
  for (const auto& [stem, file] : files_in(folders.predictions))
    if (const auto truth = truths.find(stem); truth != truths.end() && wanted(stem))
      result.pairs.push_back({file, truth->second});
  if (result.pairs.empty())
    fail(ErrorCode::not_found, "{}: no image has a label map of its name in {}", folders.predictions,
         folders.labels);
  return result;
}

/// The images of a data set, each with its own photo, or with the file of its name in the other folder.
EvalPairs pair_dataset(const EvalFolders& folders, Dataset dataset) {
  const Wanted wanted(folders.list);
  Files predictions;
  if (!folders.labels.empty()) predictions = files_in(folders.predictions);
  EvalPairs result;
  std::string first_missing;
  for (const DatasetItem& item : dataset.items) {
    if (!wanted(item.stem) && !wanted(bare(item.stem))) continue;
    if (folders.labels.empty()) {
      result.pairs.push_back({item.photo, item.labels});
      continue;
    }
    auto prediction = predictions.find(item.stem);
    if (prediction == predictions.end()) prediction = predictions.find(bare(item.stem));
    if (prediction != predictions.end()) {
      result.pairs.push_back({prediction->second, item.labels});
    } else if (result.missing++ == 0) {
      first_missing = item.stem;
    }
  }
  if (result.pairs.empty())
    fail(ErrorCode::not_found, "{}: no image has the name of one in the {} split of {}", folders.predictions,
         folders.split, folders.labels.empty() ? folders.predictions : folders.labels);
  if (result.missing > 0)
    say(fmt::format("{}: {} of {} images of the {} split are not there, the first is {}", folders.predictions,
                    result.missing, result.pairs.size() + result.missing, folders.split, first_missing));
  result.dataset = std::move(dataset);
  return result;
}

/// The ids' classes by the names of the ids and the label set's merge table.
IdTable merge_table(const std::string& label_names, const LabelSet& set) {
  IdTable table;
  table.fill(kIgnore);
  const std::vector<std::string> names = read_words(label_names);
  for (std::size_t i = 0; i < std::min<std::size_t>(names.size(), 255); ++i) {
    const auto merged = std::find_if(set.merge.begin(), set.merge.end(),
                                     [&](const auto& entry) { return entry.first == names[i]; });
    const int id = merged != set.merge.end() ? merged->second : set.find(names[i]);
    if (id < 0)
      fail(ErrorCode::invalid_argument, "{}: label set '{}' has no class for '{}'", label_names, set.name,
           names[i]);
    table[i] = static_cast<std::uint8_t>(id);
  }
  return table;
}

}  // namespace

EvalPairs find_pairs(const EvalFolders& folders, bool masks) {
  const bool alone = folders.labels.empty();
  std::optional<Dataset> dataset = find_dataset(alone ? folders.predictions : folders.labels, folders.split);
  if (alone && !dataset)
    fail(ErrorCode::invalid_argument,
         "{}: is not laid out as VOC, Cityscapes or ADE20K, so LABELS must follow it", folders.predictions);
  if (alone && masks)
    fail(ErrorCode::invalid_argument,
         "{}: the photos of a data set need a model (-m); masks come before it (eval MASKS {})",
         folders.predictions, folders.predictions);
  EvalPairs found = dataset ? pair_dataset(folders, std::move(*dataset)) : pair_folders(folders);
  if (masks && std::none_of(found.pairs.begin(), found.pairs.end(), is_mask))
    fail(ErrorCode::invalid_argument, "{}: masks are PNG files, these are photos; -m MODEL segments them",
         folders.predictions);
  return found;
}

IdTable id_table(const std::string& label_names, const EvalPairs& pairs, const LabelSet& set) {
  const auto& dataset = pairs.dataset;
  if (dataset && dataset->classes) {
    if (!label_names.empty())
      fail(ErrorCode::invalid_argument,
           "--label-names: the ids of {}'s label maps have their classes already", dataset->layout);
    if (set.size() != *dataset->classes)
      fail(ErrorCode::invalid_argument, "{} has {} classes, label set '{}' has {}", dataset->layout,
           *dataset->classes, set.name, set.size());
    return dataset->ids;
  }
  return label_names.empty() ? ids_as_they_are() : merge_table(label_names, set);
}

LabelMap load_truth(const fs::path& file, const IdTable& table, const LabelSet& set) {
  LabelMap truth = load_mask(file);
  for (std::uint8_t& id : truth.ids) {
    const int given = id;
    id = table[id];
    if (id >= set.size() && id != kIgnore)
      fail(ErrorCode::bad_file,
           "{}: id {} is none of label set '{}' with its {} classes (--label-names maps ids)", file.string(),
           given, set.name, set.size());
  }
  return truth;
}

}  // namespace atrous::cli
