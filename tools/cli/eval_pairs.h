// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace atrous::cli {

/// A prediction (a mask, or a photo to segment) and its label.
struct EvalPair {
  std::string stem;
  std::filesystem::path prediction, label;
};

struct EvalPairs {
  std::vector<EvalPair> pairs;          ///< sorted by stem, or as the list says
  std::vector<std::string> incomplete;  ///< of the list: stems that lack one side, with the reason
  std::size_t unlabelled = 0;           ///< predictions without a label; without a list they are left out
  bool photos = false;                  ///< a prediction is no PNG: there are photos to segment
};

/// Pairs the files of two folders (sub-folders too) by their names without extension; or two single files.
/// `list` names a file with a stem a line to keep to; "" for none. Throws Error{not_found | io}.
EvalPairs find_pairs(const std::filesystem::path& predictions, const std::filesystem::path& labels,
                     const std::string& list);

/// The lines of a text file, without blanks around and without empty ones. Throws Error{not_found | io}.
std::vector<std::string> read_lines(const std::filesystem::path& file);

}  // namespace atrous::cli
