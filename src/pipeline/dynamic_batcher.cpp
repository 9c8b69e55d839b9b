// SPDX-License-Identifier: Apache-2.0
#include "pipeline/dynamic_batcher.h"

#include <algorithm>
#include <exception>
#include <new>

#include "core/cancellation.h"
#include "core/error.h"

namespace atrous {

/// Jobs that run together.
struct DynamicBatcher::Group {
  std::stop_source stop;
  std::size_t wanted = 0;  ///< jobs that somebody still waits for
};

struct DynamicBatcher::Job {
  Image photo;
  bool want_probabilities = false;
  Clock::time_point arrived = Clock::now();
  SegmentResult result;
  double queued = 0;
  std::exception_ptr error;
  std::shared_ptr<Group> group;  ///< null while it waits
  bool done = false;

  bool goes_with(const Job& other) const {
    return photo.width == other.photo.width && photo.height == other.photo.height &&
           want_probabilities == other.want_probabilities;
  }
};

DynamicBatcher::DynamicBatcher(const std::vector<std::shared_ptr<const Model>>& models,
                               const SegmentOptions& segment, DynamicBatchOptions options)
    : segment_(segment), options_(std::move(options)) {
  const int workers = std::max(options_.workers, static_cast<int>(models.size()));
  const int threads = segment.threads > 0 ? segment.threads : models.front()->backend().default_threads();
  segment_.threads = std::max(1, threads / workers);
  for (int i = 0; i < workers; ++i) {
    const std::shared_ptr<const Model>& model = models[static_cast<std::size_t>(i) % models.size()];
    workers_.push_back({model, Segmenter(model, segment_), {}});
  }
  try {
    for (Worker& worker : workers_) threads_.emplace_back([this, &worker] { work(worker); });
  } catch (...) {  // no thread can be started; those that run must end
    close();
    throw;
  }
}

DynamicBatcher::~DynamicBatcher() { close(); }

void DynamicBatcher::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  arrived_.notify_all();
}

DynamicBatcher::Answer DynamicBatcher::run(Image photo, bool want_probabilities, Clock::time_point deadline) {
  const auto job = std::make_shared<Job>();
  job->photo = std::move(photo);
  job->want_probabilities = want_probabilities;
  std::unique_lock lock(mutex_);
  queue_.push_back(job);
  arrived_.notify_all();
  if (!finished_.wait_until(lock, deadline, [&] { return job->done; })) {
    if (!job->group)
      std::erase(queue_, job);
    else if (--job->group->wanted == 0)
      job->group->stop.request_stop();
    fail(ErrorCode::cancelled, "not done in time");
  }
  lock.unlock();
  if (job->error) std::rethrow_exception(job->error);
  return {std::move(job->photo), std::move(job->result), job->queued};
}

std::size_t DynamicBatcher::waiting() const {
  std::lock_guard lock(mutex_);
  return queue_.size();
}

void DynamicBatcher::work(Worker& worker) {
  while (true) {
    Jobs jobs;
    try {
      jobs = take();
    } catch (const std::bad_alloc&) {  // all still wait
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      continue;
    }
    if (jobs.empty()) return;
    if (options_.started) options_.started(jobs.size());
    const CancelScope scope(jobs.front()->group->stop.get_token());
    segment(worker, jobs);
    std::lock_guard lock(mutex_);
    for (const auto& job : jobs) job->done = true;
    finished_.notify_all();
  }
}

/// The longest waiting job and those that go with it, once they are enough, have waited long enough, or keep
/// others from the worker. None at the end.
DynamicBatcher::Jobs DynamicBatcher::take() {
  const auto most = static_cast<std::size_t>(options_.batch);
  std::unique_lock lock(mutex_);
  while (!closed_) {
    if (queue_.empty()) {
      arrived_.wait(lock);
      continue;
    }
    const Job& first = *queue_.front();
    const auto alike = static_cast<std::size_t>(
        std::count_if(queue_.begin(), queue_.end(), [&](const auto& job) { return job->goes_with(first); }));
    const auto due = first.arrived + options_.wait;
    if (alike >= most || alike < queue_.size() || Clock::now() >= due) break;
    arrived_.wait_until(lock, due);
  }
  Jobs jobs;
  jobs.reserve(std::min(most, queue_.size()));
  const auto group = std::make_shared<Group>();  // the last that can fail
  for (auto it = queue_.begin(); it != queue_.end() && jobs.size() < most;) {
    if (!jobs.empty() && !(*it)->goes_with(*jobs.front())) {
      ++it;
      continue;
    }
    (*it)->group = group;
    (*it)->queued = std::chrono::duration<double, std::milli>(Clock::now() - (*it)->arrived).count();
    jobs.push_back(std::move(*it));
    it = queue_.erase(it);
  }
  group->wanted = jobs.size();
  return jobs;
}

/// Together where that works; one by one where it does not, so that a failure has its own photo.
void DynamicBatcher::segment(Worker& worker, std::span<const std::shared_ptr<Job>> jobs) const {
  try {
    std::vector<ImageView> photos;
    for (const auto& job : jobs) photos.push_back(job->photo.view());
    std::vector<SegmentResult> results = choose(worker, jobs.front()->want_probabilities).run(photos);
    for (std::size_t i = 0; i < jobs.size(); ++i) jobs[i]->result = std::move(results[i]);
  } catch (const std::exception&) {
    if (jobs.size() == 1)
      jobs.front()->error = std::current_exception();
    else
      for (const auto& job : jobs) segment(worker, std::span(&job, 1));
  }
}

Segmenter& DynamicBatcher::choose(Worker& worker, bool want_probabilities) const {
  if (!want_probabilities) return worker.labels;
  if (!worker.probabilities) {
    SegmentOptions options = segment_;
    options.want_probabilities = true;
    worker.probabilities.emplace(worker.model, options);
  }
  return *worker.probabilities;
}

}  // namespace atrous
