// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <stop_token>
#include <thread>

namespace atrous::cli {

/// While it lives, the first Ctrl-C (or SIGTERM) requests a stop and the second one ends the program at once.
/// Make it before any other thread, since threads inherit that these signals are left to it.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  std::stop_token token() const { return source_.get_token(); }
  bool requested() const { return source_.stop_requested(); }

 private:
  void watch();

  std::stop_source source_;
  std::atomic<bool> over_{false};
  std::thread watcher_;
};

}  // namespace atrous::cli
