// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "backend/backend.h"
#include "bench_case.h"
#include "commands.h"
#include "core/error.h"
#include "core/files.h"
#include "core/stopwatch.h"
#include "image/npy.h"
#include "messages.h"
#include "model_run.h"
#include "options.h"
#include "peak.h"

namespace atrous::cli {
namespace {

using Json = nlohmann::ordered_json;

struct BenchArguments {
  ModelArguments model;
  std::string size, bench_case, output;
  int batch = 1, iterations = 30;
  double seconds = 20;
  bool nodes = false, json = false;
};

struct Timings {
  std::vector<double> milliseconds;  ///< sorted
  double at(double share) const {
    return milliseconds[static_cast<std::size_t>(
        std::min<double>(std::floor(share * static_cast<double>(milliseconds.size())),
                         static_cast<double>(milliseconds.size() - 1)))];
  }
};

/// Runs once to warm up, then at least once and until either limit is reached.
Timings measure(const BenchArguments& arguments, const std::function<double()>& run) {
  run();
  Timings timings;
  double total = 0;
  do {
    timings.milliseconds.push_back(run());
    total += timings.milliseconds.back();
  } while (static_cast<int>(timings.milliseconds.size()) < arguments.iterations &&
           total < arguments.seconds * 1e3);
  std::sort(timings.milliseconds.begin(), timings.milliseconds.end());
  return timings;
}

Json report(const Timings& t, double flops, int batch) {
  const double median = t.at(0.5);
  Json result{{"runs", t.milliseconds.size()},
              {"p50_ms", median},
              {"p90_ms", t.at(0.9)},
              {"p99_ms", t.at(0.99)},
              {"min_ms", t.milliseconds.front()},
              {"images_per_second", batch * 1e3 / median}};
  if (flops > 0) result["gflops"] = flops / median / 1e6;
  return result;
}

void print(const BenchArguments& arguments, const std::string& name, Json result) {
  if (arguments.json) {
    result["name"] = name;
    std::cout << result.dump(2) << "\n";
    return;
  }
  std::cout << fmt::format("{}: p50 {:.2f} ms, p90 {:.2f}, p99 {:.2f}, min {:.2f} ({} runs), {:.2f} a second",
                           name, result["p50_ms"].get<double>(), result["p90_ms"].get<double>(),
                           result["p99_ms"].get<double>(), result["min_ms"].get<double>(),
                           result["runs"].get<int>(), result["images_per_second"].get<double>());
  if (result.contains("first_ms"))
    std::cout << fmt::format(", first result after {:.0f} ms", result["first_ms"].get<double>());
  if (result.contains("gflops")) std::cout << fmt::format(", {:.1f} GFLOP/s", result["gflops"].get<double>());
  if (result.contains("share_of_peak"))
    std::cout << fmt::format(", {:.0f} % of the peak {:.0f}", 100 * result["share_of_peak"].get<double>(),
                             result["peak_gflops"].get<double>());
  if (result.contains("stages_ms"))
    for (const auto& [stage, ms] : result["stages_ms"].items())
      std::cout << fmt::format(", {} {:.1f}", stage, ms.get<double>());
  std::cout << "\n";
  if (!result.contains("nodes")) return;
  for (const Json& node : result["nodes"])
    std::cout << fmt::format("{:44} {:28} {:9.3f} ms {:9.1f} GFLOP/s\n", node["node"].get<std::string>(),
                             node["implementation"].get<std::string>(), node["ms"].get<double>(),
                             node["gflops"].get<double>());
}

void add_peak(Json& result, int threads) {
  const double peak = measure_peak_gflops(threads);
  result["peak_gflops"] = peak;
  result["share_of_peak"] = result["gflops"].get<double>() / peak;
}

/// The most memory this process has held at once, as Linux counts it; 0 where it does not say.
std::uint64_t peak_resident_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string key; status >> key; status.ignore(1 << 20, '\n'))
    if (std::uint64_t kilobytes = 0; key == "VmHWM:" && status >> kilobytes) return kilobytes * 1024;
  return 0;
}

void save_output(Executor& executor, const std::string& file) {
  const Shape shape = executor.output().desc.shape;
  if (shape.n != 1) fail(ErrorCode::invalid_argument, "--output takes one image, not a batch of {}", shape.n);
  write_file(file, encode_npy({static_cast<int>(shape.w), static_cast<int>(shape.h),
                               static_cast<int>(shape.c), executor.read_output()},
                              DType::f32));
}

/// Each step of one more run.
Json time_nodes(Executor& executor, const Graph& graph, const Shape& input) {
  executor.set_profiling(true);
  run_on_noise(executor, input);
  Json nodes = Json::array();
  for (std::size_t s = 0; s < executor.plan().steps.size(); ++s) {
    const Step& step = executor.plan().steps[s];
    const double ms = executor.step_seconds()[s] * 1e3;
    nodes.push_back({{"node", graph.node(step.node).name},
                     {"implementation", std::string(step.implementation) + " " + step.kernel->detail()},
                     {"ms", ms},
                     {"gflops", step.cost.flops / std::max(ms, 1e-6) / 1e6}});
  }
  return nodes;
}

int bench_model(const BenchArguments& arguments) {
  Stopwatch stopwatch;
  ModelOptions options = arguments.model.options;
  options.random_weights = true;
  const std::shared_ptr<const Model> model = Model::open(arguments.model.model, options);
  if (model->has_random_weights())
    say("the weights of " + model->config().name + " are not here; random ones are used");
  const Shape input = parse_size(arguments.size, model->config().input, arguments.batch);
  Executor executor(model->network(), arguments.model.threads);
  executor.prepare(input);
  run_on_noise(executor, input);
  const double first_ms = stopwatch.lap();
  double flops = 0;
  for (const Step& step : executor.plan().steps) flops += step.cost.flops;
  Json result =
      report(measure(arguments, [&] { return run_on_noise(executor, input); }), flops, arguments.batch);
  if (!model->has_random_weights()) result["first_ms"] = first_ms;
  result["peak_rss_bytes"] = peak_resident_bytes();
  if (!arguments.output.empty()) save_output(executor, arguments.output);
  add_peak(result, executor.threads());
  if (arguments.nodes) result["nodes"] = time_nodes(executor, model->network()->graph(), input);
  print(arguments,
        fmt::format("{} {} on {}, {} threads", model->config().name, to_string(input),
                    to_string(model->backend().device()), executor.threads()),
        result);
  return kDone;
}

int bench(const BenchArguments& arguments) {
  if (arguments.bench_case.empty()) return bench_model(arguments);
  if (!arguments.model.model.empty())
    fail(ErrorCode::invalid_argument, "bench takes a model or a --case, not both");
  const int threads =
      arguments.model.threads > 0 ? arguments.model.threads : make_backend({})->default_threads();
  make_backend({})->set_threads(threads);
  const BenchCase bench_case = make_bench_case(arguments.bench_case, threads);
  Json result = report(measure(arguments, bench_case.run), bench_case.flops, 1);
  if (bench_case.stages)
    for (const auto& [stage, ms] : *bench_case.stages) result["stages_ms"][stage] = ms;
  if (bench_case.flops > 0) add_peak(result, threads);
  print(arguments, fmt::format("{}, {} threads", arguments.bench_case, threads), result);
  return kDone;
}

}  // namespace

void add_bench(CLI::App& app, Run& run) {
  auto arguments = std::make_shared<BenchArguments>();
  CLI::App* command = app.add_subcommand("bench", "latency, throughput and times of a model, or of one case");
  arguments->model.add_to(*command, true);
  command->add_option(
      "--case", arguments->bench_case,
      "conv2d:n1h65w65c512:oc256k3s1d2[:gN]; crf:WIDTHxHEIGHTxCLASSES[:PRESET or KEY=VALUE,...]; "
      "slic:WIDTHxHEIGHT[:N[:ITERATIONS]]; crf:PHOTO:PROBS.npy[:...]; slic:PHOTO[:...]");
  command->add_option("--size", arguments->size, "input extent HxW; default: the config's");
  command->add_option("--batch", arguments->batch, "images a run")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->add_option("--iterations", arguments->iterations, "at most so many runs")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command->add_option("--seconds", arguments->seconds, "at most about so long")
      ->check(real_range(0.0, 86400.0))
      ->capture_default_str();
  command->add_option(
      "--output", arguments->output,
      "write the network's output on bench's own input pattern as float32 [classes, h, w] .npy");
  command->add_flag("--nodes", arguments->nodes, "the time of every node too");
  command->add_flag("--json", arguments->json, "as JSON");
  command->callback([arguments, &run] { run = [arguments] { return bench(*arguments); }; });
}

}  // namespace atrous::cli
