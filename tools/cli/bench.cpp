// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/bench_case.h"
#include "cli/bench_stats.h"
#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/node_report.h"
#include "cli/open_model.h"
#include "cli/terminal.h"
#include "core/error.h"

namespace atrous::cli {
namespace {

struct Options {
  std::string model, case_text, size;
  DeviceArguments device;
  BenchLength length;
  int batch = 1, nodes = 15;
  bool json = false;
};

/// What is timed, for the reports.
struct Subject {
  std::string name, backend;
  bool random_weights = false;
};

double gflops(double flops, double milliseconds) {
  return milliseconds > 0 ? flops / milliseconds * 1e-6 : 0;
}

void print_nodes(std::vector<NodeReport> nodes, int count, double total_ms) {
  std::stable_sort(nodes.begin(), nodes.end(),
                   [](const NodeReport& a, const NodeReport& b) { return a.milliseconds > b.milliseconds; });
  if (count > 0 && nodes.size() > static_cast<std::size_t>(count))
    nodes.resize(static_cast<std::size_t>(count));
  std::vector<std::vector<std::string>> rows{
      {"node", "operator", "output", "ms", "share", "GFLOP/s", "GB/s", "implementation"}};
  for (const NodeReport& node : nodes)
    rows.push_back({node.name, node.op, to_string(node.output), fmt::format("{:.3f}", node.milliseconds),
                    fmt::format("{:.1f} %", total_ms > 0 ? 100 * node.milliseconds / total_ms : 0),
                    fmt::format("{:.1f}", gflops(node.cost.flops, node.milliseconds)),
                    fmt::format("{:.1f}", gflops(node.cost.bytes, node.milliseconds)), node.implementation});
  fmt::print("\n{}", format_table(rows));
}

int bench_network(const Options& options, const Subject& subject, std::shared_ptr<const Network> network,
                  const Shape& input) {
  Executor executor(network, options.device.threads);
  const int threads = executor.threads();
  auto set_up = [&] { fill_input(executor.prepare(input), input); };
  const Latency latency = measure(options.length, set_up, [&] { executor.run(); });
  executor.set_profiling(true);
  set_up();
  executor.run();
  const std::vector<NodeReport> nodes = report_nodes(*network, executor);
  double profiled_ms = 0;
  for (const NodeReport& node : nodes) profiled_ms += node.milliseconds;
  const double flops = total_cost(nodes).flops, peak = measure_peak_gflops(threads),
               reached = gflops(flops, latency.p50),
               throughput = 1e3 * static_cast<double>(input.n) / latency.mean;
  if (options.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const NodeReport& node : nodes) list.push_back(to_json(node));
    const nlohmann::ordered_json document{{"subject", subject.name},
                                          {"backend", subject.backend},
                                          {"random_weights", subject.random_weights},
                                          {"input", {input.n, input.h, input.w, input.c}},
                                          {"threads", threads},
                                          {"latency_ms", to_json(latency)},
                                          {"images_per_second", throughput},
                                          {"flops", flops},
                                          {"gflops_per_second", reached},
                                          {"peak_gflops_per_second", peak},
                                          {"peak_memory_bytes", peak_memory_bytes()},
                                          {"nodes", list}};
    fmt::print("{}\n", document.dump(2));
    return kDone;
  }
  fmt::print("{} on {}, input {}, fp32, {} threads{}\n", subject.name, subject.backend, to_string(input),
             threads, subject.random_weights ? ", random weights" : "");
  fmt::print("latency     {}\nthroughput  {:.2f} images/s\n", to_text(latency), throughput);
  fmt::print("compute     {}, {:.1f} GFLOP/s at p50, {:.0f} % of the peak of {:.0f} GFLOP/s\n",
             short_number(flops, "FLOP"), reached, 100 * reached / peak, peak);
  fmt::print("            (peak: an FMA loop on registers with the same threads, measured just now)\n");
  fmt::print("memory      {} arena, {} packed weights, {} peak of this process\n",
             short_number(static_cast<double>(executor.plan().arena_bytes), "B"),
             short_number(static_cast<double>(network->weights().bytes()), "B"),
             short_number(peak_memory_bytes(), "B"));
  print_nodes(nodes, options.nodes, profiled_ms);
  return kDone;
}

int bench_function(const Options& options, const BenchCase& chosen) {
  const int threads =
      options.device.threads > 0 ? options.device.threads : make_backend(Device{})->default_threads();
  const Latency latency = measure(
      options.length, [] {}, [&] { chosen.run(threads); });
  if (options.json) {
    const nlohmann::ordered_json document{{"subject", options.case_text},
                                          {"threads", threads},
                                          {"latency_ms", to_json(latency)},
                                          {"peak_memory_bytes", peak_memory_bytes()}};
    fmt::print("{}\n", document.dump(2));
    return kDone;
  }
  fmt::print("{} on the host, {} threads\nlatency     {}\nmemory      {} peak of this process\n",
             options.case_text, threads, to_text(latency), short_number(peak_memory_bytes(), "B"));
  return kDone;
}

int run(const Options& options) {
  if (!options.case_text.empty()) {
    if (!options.model.empty())
      fail(ErrorCode::invalid_argument, "bench takes a MODEL or a --case, not both");
    const BenchCase chosen = parse_case(options.case_text);
    if (!chosen.network) return bench_function(options, chosen);
    const Subject subject{options.case_text, chosen.network->backend().describe(), true};
    return bench_network(options, subject, chosen.network, chosen.input);
  }
  const InspectedModel opened = open_for_inspection(options.model, options.device);
  const Subject subject{opened.model->config().name, describe_device(*opened.model), opened.random_weights};
  return bench_network(options, subject, opened.model->network(),
                       chosen_input(opened.model->config(), options.size, options.batch));
}

}  // namespace

Command make_bench() {
  auto app = make_parser("bench", "Latency, throughput, per-node times, GFLOP/s and share of peak");
  auto options = std::make_shared<Options>();
  app->add_option("MODEL", options->model,
                  "a model's name, or a path to its YAML (default: the embedded model)");
  app->add_option("--case", options->case_text, "one operator or refinement instead of a model; see below");
  app->add_option("--size", options->size, "network input, HEIGHTxWIDTH (default: the config's)");
  app->add_option("--batch", options->batch, "images a run")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app->add_option("--iterations", options->length.iterations, "runs that count (default: as --seconds says)")
      ->check(CLI::Range(1, 1'000'000));
  app->add_option("--seconds", options->length.seconds, "measure for so long, at least three runs")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
  app->add_option("--nodes", options->nodes, "list so many nodes, the slowest first; 0: all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app->add_flag("--json", options->json, "one JSON document");
  options->device.add_to(*app);
  app->footer(
      std::string(kCaseHelp) +
      "\nWhere the weights file of MODEL is missing, random weights stand in, and standard error says so.");
  return {app, [options](const auto&) { return run(*options); }};
}

}  // namespace atrous::cli
