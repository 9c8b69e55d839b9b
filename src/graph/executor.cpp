// SPDX-License-Identifier: Apache-2.0
#include "graph/executor.h"

#include <chrono>

#include "core/cancellation.h"
#include "core/convert.h"
#include "graph/passes.h"

namespace atrous {
namespace {

constexpr std::size_t kPlansKept = 16;

Graph optimise(const Graph& graph, const Shape& nominal, const Backend& backend, const PlanOptions& options) {
  Graph result = drop_identities(graph);
  if (options.fold_batch_norm) result = fold_affine(result);
  if (options.fuse) result = fuse_epilogues(result, nominal);
  if (options.fuse && !backend.implementations(OpKind::pyramid).empty()) result = fuse_pyramids(result);
  // in f32 no fused kernel competes, and the parts are tuned better one by one
  if (options.fuse && options.dtype != DType::f32 && !backend.implementations(OpKind::separable).empty())
    result = fuse_separables(result);
  if (options.convolutions != DType::f32) result = narrow_convolutions(result, options.convolutions);
  return result;
}

}  // namespace

Network::Network(const Graph& graph, const Shape& nominal, std::shared_ptr<const Backend> backend,
                 const PlanOptions& options)
    : backend_(std::move(backend)), options_(options), graph_(optimise(graph, nominal, *backend_, options)) {
  if (options.tune) tuner_ = std::make_unique<Tuner>(*backend_, cache_folder());
}

Executor::Executor(std::shared_ptr<const Network> network, int threads)
    : network_(std::move(network)),
      threads_(threads > 0 ? threads : network_->backend().default_threads()),
      stream_(network_->backend().make_stream()) {}

Executor::Prepared& Executor::find_or_make(const Shape& input) {
  for (auto it = plans_.begin(); it != plans_.end(); ++it)
    if (it->plan->input == input) {
      plans_.splice(plans_.begin(), plans_, it);
      return plans_.front();
    }
  network_->backend().set_threads(threads_);
  Prepared prepared;
  prepared.plan = make_plan(*network_, input, threads_);
  for (const Step& step : prepared.plan->steps) prepared.inputs.emplace_back(step.inputs.size());
  plans_.push_front(std::move(prepared));
  if (plans_.size() > kPlansKept) plans_.pop_back();
  return plans_.front();
}

void Executor::bind(Prepared& prepared) {
  const Plan& plan = *prepared.plan;
  for (std::size_t s = 0; s < plan.steps.size(); ++s)
    for (std::size_t i = 0; i < plan.steps[s].inputs.size(); ++i) {
      const int value = plan.steps[s].inputs[i];
      prepared.inputs[s][i] =
          value < 0 ? nullptr : arena_->data() + plan.values[static_cast<std::size_t>(value)].offset;
    }
  prepared.arena = arenas_;
  prepared.runs = 0;
  prepared.recording.reset();
}

void Executor::prepare(const Shape& input) {
  current_ = nullptr;
  Prepared& prepared = find_or_make(input);
  const Plan& plan = *prepared.plan;
  if (!arena_ || arena_->size() < plan.arena_bytes) {
    arena_.reset();
    arena_ = network_->backend().allocate(plan.arena_bytes);
    ++arenas_;
  }
  if (prepared.arena != arenas_) bind(prepared);
  if (network_->options().poison) poison(0, plan.arena_bytes);
  current_ = &prepared;
}

void Executor::run() {
  if (current_ == nullptr) fail(ErrorCode::internal, "executor: run() before prepare()");
  check_cancelled();
  network_->backend().set_threads(threads_);
  step_seconds_.assign(profiling_ ? current_->plan->steps.size() : 0, 0);
  const bool plain = !profiling_ && !observer_ && !network_->options().poison;
  if (plain && network_->options().record && current_->runs++ == 1) try {
      current_->recording = stream_->record([this] { run_steps(); });
    } catch (const Error&) {  // what a device cannot record runs step by step
    }
  if (plain && current_->recording)
    current_->recording->replay();
  else
    run_steps();
}

void Executor::run_steps() {
  using Clock = std::chrono::steady_clock;
  const Plan& plan = *current_->plan;
  for (std::size_t s = 0; s < plan.steps.size(); ++s) {
    check_cancelled();
    const Step& step = plan.steps[s];
    const Clock::time_point start = profiling_ ? Clock::now() : Clock::time_point();
    step.kernel->run({current_->inputs[s],
                      arena_->data() + plan.values[static_cast<std::size_t>(step.node)].offset,
                      arena_->data() + step.workspace_offset, stream_.get()});
    if (profiling_) {
      stream_->synchronise();
      step_seconds_[s] = std::chrono::duration<double>(Clock::now() - start).count();
    }
    if (observer_) {
      stream_->synchronise();
      observer_(network_->graph().node(step.node), view(step.node));
    }
    if (network_->options().poison)
      for (const Placement& value : plan.values)
        if (value.bytes > 0 && value.last_use == static_cast<int>(s)) poison(value.offset, value.bytes);
  }
}

void Executor::poison(std::size_t offset, std::size_t bytes) {
  const std::vector<std::byte> nan(bytes, std::byte{0xff});  // all ones: a NaN in every type of activations
  stream_->upload(arena_->data() + offset, nan.data(), bytes);
}

TensorView Executor::view(int value) const {
  const Placement& placement = current_->plan->values[static_cast<std::size_t>(value)];
  return {arena_->data() + placement.offset, placement.desc};
}

TensorView Executor::input() const { return view(0); }

TensorView Executor::output(int index) const {
  return view(network_->graph().outputs()[static_cast<std::size_t>(index)]);
}

void Executor::write_input(std::span<const float> values) {
  const TensorView to = input();
  if (static_cast<std::int64_t>(values.size()) != to.desc.shape.elements())
    fail(ErrorCode::internal, "executor: {} values for an input of {}", values.size(),
         to_string(to.desc.shape));
  std::vector<std::byte> converted(values.size() * size_of(to.desc.dtype));
  from_f32(values.data(), to.desc.shape.elements(), to.desc.dtype, converted.data());
  stream_->upload(to.data, converted.data(), converted.size());
}

std::vector<float> Executor::read_output(int index) {
  const TensorView from = output(index);
  const Shape& shape = from.desc.shape;
  const std::size_t size = size_of(from.desc.dtype);
  std::vector<std::byte> raw(static_cast<std::size_t>((shape.pixels() - 1) * from.desc.pitch + shape.c) *
                             size);
  stream_->download(raw.data(), from.data, raw.size());
  std::vector<float> values(static_cast<std::size_t>(shape.elements()));
  for (std::int64_t p = 0; p < shape.pixels(); ++p)
    to_f32(raw.data() + static_cast<std::size_t>(p * from.desc.pitch) * size, from.desc.dtype, shape.c,
           values.data() + p * shape.c);
  return values;
}

}  // namespace atrous
