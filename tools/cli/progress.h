// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace atrous::cli {

/// Count, rate and time left of a long run on standard error: a bar on a terminal, now and then a plain line
/// elsewhere, nothing when quiet. One thread at a time.
class Progress {
 public:
  Progress(std::size_t total, bool quiet);
  ~Progress() { erase(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// One more is done.
  void advance(bool failed);
  /// A result line on standard output, or a message on standard error, that the bar must not be mixed into.
  void result(const std::string& line);
  void message(const std::string& text);

 private:
  using Clock = std::chrono::steady_clock;
  std::string status() const;
  void draw();
  void erase();

  std::size_t total_, done_ = 0, failed_ = 0;
  bool quiet_, bar_, color_, drawn_ = false;
  Clock::time_point start_ = Clock::now(), shown_ = start_;
};

}  // namespace atrous::cli
