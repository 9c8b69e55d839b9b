// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace atrous {

class Stopwatch {
 public:
  /// Milliseconds since the start or the last lap.
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    const double elapsed = std::chrono::duration<double, std::milli>(now - last_).count();
    last_ = now;
    return elapsed;
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace atrous
