// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "graph/graph.h"
#include "graph/plan.h"
#include "graph/tuner.h"

namespace atrous {

/// An optimised graph on a backend with its packed weights: immutable, shared by any number of executors and
/// threads.
class Network {
 public:
  /// `nominal`: an input extent the graph accepts (builder.h), for the passes that compare shapes.
  Network(const Graph& graph, const Shape& nominal, std::shared_ptr<const Backend> backend,
          const PlanOptions& options = {});

  const Graph& graph() const { return graph_; }
  const Backend& backend() const { return *backend_; }
  const PlanOptions& options() const { return options_; }
  WeightCache& weights() const { return weights_; }
  Tuner* tuner() const { return tuner_.get(); }  ///< null where nothing is tuned

 private:
  std::shared_ptr<const Backend> backend_;
  PlanOptions options_;
  Graph graph_;
  mutable WeightCache weights_;
  std::unique_ptr<Tuner> tuner_;
};

/// A value in the device's memory; valid until the executor's next prepare() or destruction.
struct TensorView {
  void* data = nullptr;
  TensorDesc desc;

  /// Where image `index` of the batch begins.
  void* image(std::int64_t index) const {
    return static_cast<std::byte*>(data) +
           static_cast<std::size_t>(index * desc.shape.h * desc.shape.w * desc.pitch) * size_of(desc.dtype);
  }
};

/// Runs a Network. One thread at a time; plans are made once an input shape and kept (the least recently used
/// goes). The second run of a shape allocates nothing.
class Executor {
 public:
  /// `threads` 0: the backend's default.
  explicit Executor(std::shared_ptr<const Network> network, int threads = 0);

  /// Makes or finds the plan for this input shape. A run uses the input up: write it again before the next.
  void prepare(const Shape& input);
  void run();                ///< throws Error{cancelled} between two steps, see core/cancellation.h
  TensorView input() const;  ///< dense, in the network's activation type
  TensorView output(int index = 0) const;
  Stream& stream() { return *stream_; }

  /// The input from NHWC values on the host, and an output as such, converted; for tests and tools.
  void write_input(std::span<const float> values);
  std::vector<float> read_output(int index = 0);

  const Plan& plan() const { return *current_->plan; }  ///< of the last prepare()
  int threads() const { return threads_; }
  /// Runs from now on wait for each step and note its time.
  void set_profiling(bool on) { profiling_ = on; }
  /// Called after each step of a run with the node, of the network's graph, and the value that it has made.
  using Observer = std::function<void(const Node& node, const TensorView& value)>;
  void set_observer(Observer observer) { observer_ = std::move(observer); }
  /// Seconds that each step of the plan took in the last run; empty without profiling.
  std::span<const double> step_seconds() const { return step_seconds_; }

 private:
  struct Prepared {
    std::unique_ptr<Plan> plan;
    std::vector<std::vector<const void*>> inputs;  ///< addresses in the arena, a list a step
    int arena = 0;                                 ///< which arena these addresses are of
    int runs = 0;                                  ///< since these addresses are valid
    std::unique_ptr<Recording> recording;  ///< of all steps, made at the second run where the device can
  };
  Prepared& find_or_make(const Shape& input);
  void bind(Prepared& prepared);
  void run_steps();
  TensorView view(int value) const;
  void poison(std::size_t offset, std::size_t bytes);

  std::shared_ptr<const Network> network_;
  int threads_;
  bool profiling_ = false;
  Observer observer_;
  std::unique_ptr<Stream> stream_;
  std::list<Prepared> plans_;  ///< most recently used first
  Prepared* current_ = nullptr;
  std::unique_ptr<DeviceMemory> arena_;  ///< shared by the plans, as large as the largest needs
  int arenas_ = 0;                       ///< how many there were so far
  std::vector<double> step_seconds_;
};

}  // namespace atrous
