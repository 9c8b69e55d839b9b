// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>

namespace atrous::cli {

/// Count, rate and time left on stderr: a bar on a terminal, a line every few seconds elsewhere, nothing
/// where quiet or for a single image.
class Progress {
 public:
  /// `total` 0: nobody knows; there is no bar then and no time left.
  Progress(std::size_t total, bool quiet);
  ~Progress();
  void advance();
  /// Takes the bar away, so that something else can be printed.
  void clear();

 private:
  void draw(bool last);

  std::size_t total_, done_ = 0;
  bool shown_, terminal_, color_;
  std::chrono::steady_clock::time_point start_, drawn_;
};

}  // namespace atrous::cli
