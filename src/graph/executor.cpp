// SPDX-License-Identifier: Apache-2.0
#include "graph/executor.h"

#include <chrono>
#include <cstring>

#include "graph/passes.h"

namespace atrous {
namespace {

constexpr std::size_t kPlansKept = 16;

Graph optimise(const Graph& graph, const Shape& nominal, const PlanOptions& options) {
  Graph result = drop_identities(graph);
  if (options.fold_batch_norm) result = fold_affine(result);
  if (options.fuse) result = fuse_epilogues(result, nominal);
  return result;
}

}  // namespace

Network::Network(const Graph& graph, const Shape& nominal, std::shared_ptr<const Backend> backend,
                 const PlanOptions& options)
    : backend_(std::move(backend)), options_(options), graph_(optimise(graph, nominal, options)) {}

Executor::Executor(std::shared_ptr<const Network> network, int threads)
    : network_(std::move(network)), threads_(threads > 0 ? threads : network_->backend().default_threads()) {}

Executor::Prepared& Executor::find_or_make(const Shape& input) {
  for (auto it = plans_.begin(); it != plans_.end(); ++it)
    if (it->plan->input == input) {
      plans_.splice(plans_.begin(), plans_, it);
      return plans_.front();
    }
  network_->backend().set_threads(threads_);
  Prepared prepared{make_plan(*network_, input, threads_), {}};
  for (const Step& step : prepared.plan->steps) prepared.inputs.emplace_back(step.inputs.size());
  plans_.push_front(std::move(prepared));
  if (plans_.size() > kPlansKept) plans_.pop_back();
  return plans_.front();
}

float* Executor::prepare(const Shape& input) {
  current_ = nullptr;
  Prepared& prepared = find_or_make(input);
  const Plan& plan = *prepared.plan;
  if (!arena_ || arena_->size() < plan.arena_bytes) {
    arena_.reset();
    arena_ = network_->backend().allocate(plan.arena_bytes);
  }
  for (std::size_t s = 0; s < plan.steps.size(); ++s)
    for (std::size_t i = 0; i < plan.steps[s].inputs.size(); ++i) {
      const int value = plan.steps[s].inputs[i];
      prepared.inputs[s][i] =
          value < 0 ? nullptr : arena_->data() + plan.values[static_cast<std::size_t>(value)].offset;
    }
  if (network_->options().poison) poison(0, plan.arena_bytes);
  step_seconds_.assign(profiling_ ? plan.steps.size() : 0, 0);
  current_ = &prepared;
  return reinterpret_cast<float*>(arena_->data() + plan.values[0].offset);
}

void Executor::run() {
  if (current_ == nullptr) fail(ErrorCode::internal, "executor: run() before prepare()");
  using Clock = std::chrono::steady_clock;
  const Plan& plan = *current_->plan;
  network_->backend().set_threads(threads_);
  for (std::size_t s = 0; s < plan.steps.size(); ++s) {
    const Step& step = plan.steps[s];
    const Clock::time_point start = profiling_ ? Clock::now() : Clock::time_point();
    step.kernel->run({current_->inputs[s],
                      arena_->data() + plan.values[static_cast<std::size_t>(step.node)].offset,
                      arena_->data() + step.workspace_offset});
    if (profiling_) step_seconds_[s] = std::chrono::duration<double>(Clock::now() - start).count();
    if (network_->options().poison)
      for (const Placement& value : plan.values)
        if (value.bytes > 0 && value.last_use == static_cast<int>(s)) poison(value.offset, value.bytes);
  }
}

void Executor::poison(std::size_t offset, std::size_t bytes) {
  if (std::byte* host = arena_->host()) std::memset(host + offset, 0xff, bytes);  // all ones: a NaN
}

TensorView Executor::output(int index) const {
  const Placement& value =
      current_->plan
          ->values[static_cast<std::size_t>(network_->graph().outputs()[static_cast<std::size_t>(index)])];
  return {reinterpret_cast<const float*>(arena_->data() + value.offset), value.desc};
}

}  // namespace atrous
