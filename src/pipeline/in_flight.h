// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace atrous {

/// Images between decoding and encoding: at most so many, and beyond those that the workers need to be busy
/// only while their bytes are below a limit, which the last image let in and one that waits may pass.
class InFlight {
 public:
  /// `needed` of the `most` images are let in whatever their bytes.
  InFlight(std::size_t needed, std::size_t most, std::size_t bytes)
      : needed_(needed), most_(most), most_bytes_(bytes) {}

  /// Waits until there is room for an image, which then counts with its bytes.
  void enter(std::size_t bytes) {
    std::unique_lock lock(mutex_);
    left_.wait(lock, [&] { return images_ < needed_ || (images_ < most_ && bytes_ < most_bytes_); });
    ++images_;
    bytes_ += bytes;
  }
  /// As it entered.
  void leave(std::size_t bytes) {
    {
      const std::lock_guard lock(mutex_);
      --images_;
      bytes_ -= bytes;
    }
    left_.notify_all();
  }

 private:
  const std::size_t needed_, most_, most_bytes_;
  std::mutex mutex_;
  std::condition_variable left_;
  std::size_t images_ = 0, bytes_ = 0;
};

}  // namespace atrous
