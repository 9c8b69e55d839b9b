// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "graph/graph.h"
#include "graph/plan.h"

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

 private:
  std::shared_ptr<const Backend> backend_;
  PlanOptions options_;
  Graph graph_;
  mutable WeightCache weights_;
};

/// An output of a run; valid until the executor's next prepare() or destruction.
struct TensorView {
  const float* data = nullptr;
  TensorDesc desc;
};

/// Runs a Network. One thread at a time; plans are made once an input shape and kept (the least recently used
/// goes). The second run of a shape allocates nothing.
class Executor {
 public:
  /// `threads` 0: the backend's default.
  explicit Executor(std::shared_ptr<const Network> network, int threads = 0);

  /// Makes or finds the plan for this input shape and returns where to write the input: f32 NHWC, dense. A
  /// run uses the input up: write it again before the next.
  float* prepare(const Shape& input);
  void run();
  TensorView output(int index = 0) const;

  const Plan& plan() const { return *current_->plan; }  ///< of the last prepare()
  int threads() const { return threads_; }
  /// Seconds each step of the plan took in the last run with profiling on (empty before).
  void set_profiling(bool on) { profiling_ = on; }
  std::span<const double> step_seconds() const { return step_seconds_; }

 private:
  struct Prepared {
    std::unique_ptr<Plan> plan;
    std::vector<std::vector<const void*>> inputs;  ///< addresses in the arena, a list a step
  };
  Prepared& find_or_make(const Shape& input);
  void poison(std::size_t offset, std::size_t bytes);

  std::shared_ptr<const Network> network_;
  int threads_;
  bool profiling_ = false;
  std::list<Prepared> plans_;  ///< most recently used first
  Prepared* current_ = nullptr;
  std::unique_ptr<DeviceMemory> arena_;  ///< shared by the plans, as large as the largest needs
  std::vector<double> step_seconds_;
};

}  // namespace atrous
