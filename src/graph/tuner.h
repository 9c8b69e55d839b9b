// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace atrous {

/// Finds the fastest of several implementations of a node by running them on the device, and remembers it in
/// a file of the user's cache (XDG_CACHE_HOME/atrous) named after the backend's description, which holds
/// device, driver and library versions. Processes that tune at once keep each other's entries. A file that is
/// broken or cannot be written costs measuring again, nothing else. Thread-safe.
class Tuner {
 public:
  /// `folder`: where the file lies; empty: nothing is remembered.
  Tuner(const Backend& backend, const std::filesystem::path& folder);

  struct Measured {
    std::string implementation;
    double milliseconds = 0;
  };
  /// Times of all candidates (two or more that accept the node) for one image of the batch, so that the
  /// choice, and with it every bit of a result, is the same for any batch; the fastest first.
  std::vector<Measured> measure(const NodeDesc& node, const std::vector<const Implementation*>& candidates);

 private:
  double time_of(const NodeDesc& node, const Implementation& candidate, double fastest) const;
  void save();

  const Backend& backend_;
  std::filesystem::path file_;
  std::mutex mutex_;
  std::map<std::string, std::vector<Measured>> known_;  ///< by problem
};

/// What tells one tuning problem from another: operator, parameters, shapes of one image, layout and type.
std::string describe_problem(const NodeDesc& node);

/// $XDG_CACHE_HOME/atrous or ~/.cache/atrous; empty where neither variable is set.
std::filesystem::path cache_folder();

}  // namespace atrous
