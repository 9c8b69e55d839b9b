// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/stopwatch.h"
#include "gpu_case.h"
#include "gpu_measure.h"
#include "graph/executor.h"

namespace atrous::bench {

/// All measurements on one device, the ones that matter most first. Each becomes a JSON object: kind
/// "device", "case" (an operator by one implementation), "refusal", "network", or "error" (the others go on).
class Suite {
 public:
  struct Options {
    DType dtype = DType::f16;
    double seconds = 240;    ///< after which no measurement is begun
    double budget_ms = 150;  ///< about what one variant of a case may take
    std::string groups;      ///< comma separated; empty: all
  };
  using Sink = std::function<void(const nlohmann::ordered_json&)>;
  Suite(std::shared_ptr<const Backend> backend, Options options, Sink sink);

  void describe_device();
  void run(const std::vector<BenchNetwork>& networks);
  void run_operator(const OperatorCase& c);
  void run_network(const BenchNetwork& network, std::shared_ptr<const Network> optimised, const Shape& input);
  /// With the options of the measurements: random weights, tuned.
  std::shared_ptr<const Network> make_network(const BenchNetwork& network) const;
  /// Logits of a network to labels at the photo's size.
  void run_labels(const Shape& logits, int width, int height);

 private:
  bool wanted(const std::string& group) const;
  /// Runs one of the above; an Error becomes a line.
  void attempt(const std::string& group, const std::string& name, const std::function<void()>& f);
  void report(nlohmann::ordered_json line, const Variant& variant, const Timing& timing, int sets);

  std::shared_ptr<const Backend> backend_;
  Options options_;
  Sink sink_;
  std::unique_ptr<Stream> stream_;
  double elapsed_ms_ = 0;
  Stopwatch watch_;
};

}  // namespace atrous::bench
