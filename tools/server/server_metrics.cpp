// SPDX-License-Identifier: Apache-2.0
#include "server_metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace atrous::cli {
namespace {

Histogram make_seconds() {
  return Histogram({0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30});
}

std::string head(std::string_view name, std::string_view type, std::string_view help) {
  return fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
}

std::string number(std::string_view name, std::string_view type, std::string_view help, std::uint64_t value) {
  return fmt::format("{}{} {}\n", head(name, type, help), name, value);
}

std::string histograms(std::string_view name, std::string_view help, std::string_view key,
                       const std::map<std::string, Histogram>& all) {
  std::string text = head(name, "histogram", help);
  for (const auto& [value, histogram] : all)
    text += histogram.lines(name, fmt::format("{}=\"{}\"", key, value));
  return text;
}

}  // namespace

void Histogram::add(double value) {
  const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), value);
  if (bound != bounds_.end()) ++counts_[static_cast<std::size_t>(bound - bounds_.begin())];
  ++total_;
  sum_ += value;
}

std::string Histogram::lines(std::string_view name, const std::string& label) const {
  const std::string before = label.empty() ? "" : label + ",",
                    labels = label.empty() ? "" : "{" + label + "}";
  std::string text;
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < bounds_.size(); ++i) {
    below += counts_[i];
    fmt::format_to(std::back_inserter(text), "{}_bucket{{{}le=\"{}\"}} {}\n", name, before, bounds_[i],
                   below);
  }
  fmt::format_to(std::back_inserter(text),
                 "{0}_bucket{{{1}le=\"+Inf\"}} {2}\n{0}_sum{3} {4}\n{0}_count{3} {2}\n", name, before, total_,
                 labels, sum_);
  return text;
}

void ServerMetrics::add_request(const HttpOutcome& outcome) {
  std::lock_guard lock(mutex_);
  ++requests_[{outcome.path, outcome.status}];
  request_seconds_.try_emplace(outcome.path, make_seconds()).first->second.add(outcome.ms / 1000);
  received_ += outcome.received;
  sent_ += outcome.sent;
}

void ServerMetrics::add_batch(std::size_t photos) {
  std::lock_guard lock(mutex_);
  batch_sizes_.add(static_cast<double>(photos));
}

void ServerMetrics::add_image(const std::vector<std::pair<std::string_view, double>>& stages) {
  std::lock_guard lock(mutex_);
  ++images_;
  for (const auto& [stage, ms] : stages)
    stage_seconds_.try_emplace(std::string(stage), make_seconds()).first->second.add(ms / 1000);
}

std::string ServerMetrics::text(int in_flight, std::size_t waiting) const {
  std::lock_guard lock(mutex_);
  std::string text = head("atrous_requests_total", "counter", "Requests that were answered.");
  for (const auto& [key, count] : requests_)
    fmt::format_to(std::back_inserter(text), "atrous_requests_total{{path=\"{}\",status=\"{}\"}} {}\n",
                   key.first, key.second, count);
  text += histograms("atrous_request_seconds", "From a connection's start to the end of its answer.", "path",
                     request_seconds_);
  text += histograms("atrous_stage_seconds", "What a stage took for an image.", "stage", stage_seconds_);
  text += head("atrous_batch_size", "histogram", "Images in a run of the network.");
  text += batch_sizes_.lines("atrous_batch_size", "");
  text += number("atrous_images_total", "counter", "Images that were segmented and encoded.", images_);
  text += number("atrous_received_bytes_total", "counter", "Bytes of requests.", received_);
  text += number("atrous_sent_bytes_total", "counter", "Bytes of answers.", sent_);
  text += number("atrous_in_flight", "gauge", "Images being received, waiting or worked on.",
                 static_cast<std::uint64_t>(in_flight));
  text += number("atrous_queue_length", "gauge", "Images that wait for the network.", waiting);
  return text;
}

}  // namespace atrous::cli
