// SPDX-License-Identifier: Apache-2.0
#include "api/job_queue.h"

#include <utility>

#include "core/cancellation.h"
#include "core/error.h"

namespace atrous {

JobQueue::~JobQueue() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    for (auto& [number, stop] : live_) stop.request_stop();
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void JobQueue::run(const Work& work) {
  Job job;
  {
    const std::lock_guard lock(mutex_);
    job = enter();
  }
  if (const std::exception_ptr error = do_now(job, work)) std::rethrow_exception(error);
}

void JobQueue::submit(Work work, Done done, std::uint64_t* number) {
  {
    const std::lock_guard lock(mutex_);
    if (closing_) fail(ErrorCode::cancelled, "the session is being destroyed");
    if (!thread_.joinable()) thread_ = std::thread([this] { work_off(); });
    waiting_.push_back({{}, std::move(work), std::move(done)});
    try {
      waiting_.back().job = enter();
    } catch (...) {
      waiting_.pop_back();
      throw;
    }
    if (number != nullptr) *number = last_;
  }
  changed_.notify_all();
}

void JobQueue::cancel(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  for (auto& [live, stop] : live_)
    if (number == 0 || live == number) stop.request_stop();
}

JobQueue::Job JobQueue::enter() {
  const auto entry = live_.try_emplace(last_ + 1).first;
  return {++last_, entry->second.get_token()};
}

std::exception_ptr JobQueue::do_now(const Job& job, const Work& work) {
  std::exception_ptr error;
  try {
    const std::lock_guard turn(turn_);
    const CancelScope scope(job.stop);
    check_cancelled();
    work();
  } catch (...) {
    error = std::current_exception();
  }
  const std::lock_guard lock(mutex_);
  live_.erase(job.number);
  return error;
}

void JobQueue::work_off() {
  while (true) {
    Submitted next;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return closing_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      next = std::move(waiting_.front());
      waiting_.pop_front();
    }
    next.done(next.job.number, do_now(next.job, next.work));
  }
}

}  // namespace atrous
