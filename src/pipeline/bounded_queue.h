// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <vector>

namespace atrous {

/// A queue between threads that holds at most `capacity` items.
template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) {}

  void push(T item) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return items_.size() < capacity_; });
    items_.push_back(std::move(item));
    changed_.notify_all();
  }

  /// Waits for `most` items or the end; fewer than `most` only at the end, none when all is taken. The items
  /// are neighbours: another thread's pop waits until this one has all of its own.
  std::vector<T> pop(std::size_t most) {
    std::lock_guard turn(popping_);
    std::unique_lock lock(mutex_);
    std::vector<T> taken;
    while (taken.size() < most) {
      changed_.wait(lock, [&] { return !items_.empty() || closed_; });
      if (items_.empty()) break;
      taken.push_back(std::move(items_.front()));
      items_.pop_front();
      changed_.notify_all();
    }
    return taken;
  }

  void close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  std::size_t capacity_;
  std::mutex popping_, mutex_;
  std::condition_variable changed_;
  std::deque<T> items_;
  bool closed_ = false;
};

}  // namespace atrous
