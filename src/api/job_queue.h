// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <stop_token>
#include <thread>

namespace atrous {

/// The jobs of one session: one at a time, each cancellable (core/cancellation.h). Thread-safe.
class JobQueue {
 public:
  using Work = std::function<void()>;
  /// Gets the job's number and what its work threw, null where it did not. Must not throw.
  using Done = std::function<void(std::uint64_t job, const std::exception_ptr& error)>;

  JobQueue() = default;
  JobQueue(const JobQueue&) = delete;
  JobQueue& operator=(const JobQueue&) = delete;
  /// Cancels all and returns when the last `done` has returned.
  ~JobQueue();

  /// Does the work on the calling thread once it is its turn. Throws what it throws.
  void run(const Work& work);
  /// Does the work on the queue's own thread, after what was submitted before, then calls `done` there.
  /// *number, unless null, is set to the job's number (from 1) before it begins. Throws Error{cancelled}
  /// where the queue is being destroyed.
  void submit(Work work, Done done, std::uint64_t* number);
  /// Cancels the job of that number; 0: all, those in run() too.
  void cancel(std::uint64_t number);

 private:
  struct Job {
    std::uint64_t number = 0;
    std::stop_token stop;
  };
  struct Submitted {
    Job job;
    Work work;
    Done done;
  };
  Job enter();  ///< a new job of live_; mutex_ is held
  std::exception_ptr do_now(const Job& job, const Work& work);
  void work_off();

  std::mutex turn_;   ///< held by the job that is being done
  std::mutex mutex_;  ///< of all below
  std::condition_variable changed_;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, std::stop_source> live_;  ///< of the jobs that are not over, by number
  std::deque<Submitted> waiting_;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace atrous
