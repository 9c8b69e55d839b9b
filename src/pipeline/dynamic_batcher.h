// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "pipeline/segmenter.h"

namespace atrous {

struct DynamicBatchOptions {
  /// Batches in the network at the same time, at least one a device; they share the threads.
  int workers = 1;
  int batch = 1;                             ///< photos a batch, at most
  std::chrono::milliseconds wait{0};         ///< how long a photo waits for others to make its batch whole
  std::function<void(std::size_t)> started;  ///< told each batch's size, by the workers
};

/// Segments photos that come one at a time from many threads: those of one size that wait at the same time go
/// through the network together. Results are those of Segmenter::run. Thread-safe.
class DynamicBatcher {
 public:
  using Clock = std::chrono::steady_clock;
  struct Answer {
    Image photo;  ///< as it was given
    SegmentResult result;
    double queued = 0;  ///< milliseconds before its batch started
  };

  /// `models`: one model, once a device; the workers take turns among them. Throws what Segmenter throws.
  DynamicBatcher(const std::vector<std::shared_ptr<const Model>>& models, const SegmentOptions& segment,
                 DynamicBatchOptions options);
  /// No run() may be under way.
  ~DynamicBatcher();

  /// Waits for the result. Throws what Segmenter::run throws for this photo, whatever its neighbours are, and
  /// Error{cancelled} at the deadline: a photo that waits is then left out, and a batch that nobody wants any
  /// more is cancelled.
  Answer run(Image photo, bool want_probabilities, Clock::time_point deadline);

  std::size_t waiting() const;  ///< photos that no worker has taken yet

 private:
  struct Job;
  struct Group;
  using Jobs = std::vector<std::shared_ptr<Job>>;
  /// The segmenters of a worker.
  struct Worker {
    std::shared_ptr<const Model> model;
    Segmenter labels;
    std::optional<Segmenter> probabilities;  ///< made when first wanted
  };

  void close();
  void work(Worker& worker);
  Jobs take();
  void segment(Worker& worker, std::span<const std::shared_ptr<Job>> jobs) const;
  Segmenter& choose(Worker& worker, bool want_probabilities) const;

  SegmentOptions segment_;
  DynamicBatchOptions options_;
  std::vector<Worker> workers_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_, finished_;
  std::deque<std::shared_ptr<Job>> queue_;
  bool closed_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace atrous
