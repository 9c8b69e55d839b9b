// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http_server.h"

namespace atrous::cli {

/// How many values were at most each of some bounds, and their sum.
class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size()) {}
  void add(double value);
  /// Lines of Prometheus' text format; `label` is "" or 'key="value"'.
  std::string lines(std::string_view name, const std::string& label) const;

 private:
  std::vector<double> bounds_;
  std::vector<std::uint64_t> counts_;  ///< above the bound before, at most this one
  std::uint64_t total_ = 0;
  double sum_ = 0;
};

/// What the server counts. Thread-safe.
class ServerMetrics {
 public:
  void add_request(const HttpOutcome& outcome);
  void add_batch(std::size_t photos);
  void add_image(const std::vector<std::pair<std::string_view, double>>& stages);  ///< milliseconds each

  /// Prometheus' text format, version 0.0.4. `in_flight`: uploads being worked on; `waiting`: photos in the
  /// queue.
  std::string text(int in_flight, std::size_t waiting) const;
  static constexpr const char* kType = "text/plain; version=0.0.4; charset=utf-8";

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, std::uint64_t> requests_;  ///< by path and status
  std::map<std::string, Histogram> request_seconds_, stage_seconds_;
  Histogram batch_sizes_{{1, 2, 4, 8, 16, 32, 64, 128}};
  std::uint64_t images_ = 0, received_ = 0, sent_ = 0;
};

}  // namespace atrous::cli
