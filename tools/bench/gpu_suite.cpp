// SPDX-License-Identifier: Apache-2.0
#include "gpu_suite.h"

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "backend/cuda/cuda_backend.h"
#include "core/error.h"
#include "gpu_operator.h"
#include "graph/executor.h"
#include "kernels/photo.h"

namespace atrous::bench {
namespace {

using Json = nlohmann::ordered_json;
using Sets = std::vector<std::vector<std::unique_ptr<DeviceMemory>>>;

Json line_of(const OperatorCase& c, DType dtype) {
  return {{"kind", "case"},
          {"group", c.group},
          {"name", c.name},
          {"dtype", to_string(dtype)},
          {"problem", describe(c)},
          {"used_in", c.used_in},
          {"flops", schema_of(c.params).cost(c.params, c.inputs, output_shape(c)).flops},
          {"bytes", least_bytes(c, dtype)}};
}

Sets make_sets(const Backend& backend, Stream& stream, DType dtype, const std::vector<std::size_t>& buffers) {
  std::size_t bytes = 0;
  for (std::size_t buffer : buffers) bytes += buffer;
  Sets sets(static_cast<std::size_t>(sets_for(bytes)));
  for (auto& set : sets)
    for (std::size_t buffer : buffers) set.push_back(random_memory(backend, stream, dtype, buffer));
  return sets;
}

}  // namespace

Suite::Suite(std::shared_ptr<const Backend> backend, Options options, Sink sink)
    : backend_(std::move(backend)),
      options_(std::move(options)),
      sink_(std::move(sink)),
      stream_(backend_->make_stream()) {}

bool Suite::wanted(const std::string& group) const {
  return options_.groups.empty() ||
         ("," + options_.groups + ",").find("," + group + ",") != std::string::npos;
}

void Suite::attempt(const std::string& group, const std::string& name, const std::function<void()>& f) {
  if (!wanted(group)) return;
  elapsed_ms_ += watch_.lap();
  if (elapsed_ms_ > options_.seconds * 1e3) {
    sink_({{"kind", "error"}, {"group", group}, {"name", name}, {"reason", "the time was up"}});
    return;
  }
  std::fprintf(stderr, "%6.1f s  %s\n", elapsed_ms_ / 1e3, name.c_str());
  try {
    f();
  } catch (const Error& error) {
    sink_({{"kind", "error"}, {"group", group}, {"name", name}, {"reason", error.message()}});
  }
}

void Suite::report(Json line, const Variant& variant, const Timing& timing, int sets) {
  line["implementation"] = variant.name;
  if (!variant.detail.empty()) line["detail"] = variant.detail;
  line["median_us"] = timing.median;
  line["low_us"] = timing.low;
  line["high_us"] = timing.high;
  line["rounds"] = timing.rounds;
  line["sets"] = sets;
  sink_(line);
}

void Suite::run_operator(const OperatorCase& c) {
  struct Candidate {
    const Implementation* implementation;
    const Recipe* recipe;
    const char* prefix;
  };
  const Recipe whole = as_one_node(c, options_.dtype);
  std::vector<Candidate> candidates;
  for (const Implementation& i : backend_->implementations(kind_of(c.params)))
    candidates.push_back({&i, &whole, ""});
  Recipe branches;
  if (std::holds_alternative<PyramidParams>(c.params)) {
    branches = as_branches(c, options_.dtype);
    for (const Implementation& i : backend_->implementations(OpKind::conv2d))
      candidates.push_back({&i, &branches, "branches by "});
  }
  const Sets whole_sets = make_sets(*backend_, *stream_, options_.dtype, whole.buffers),
             branch_sets = branches.steps.empty()
                               ? Sets{}
                               : make_sets(*backend_, *stream_, options_.dtype, branches.buffers);
  std::vector<std::unique_ptr<PreparedRecipe>> prepared;
  std::vector<Variant> variants;
  for (const Candidate& candidate : candidates) {
    const std::string name = candidate.prefix + std::string(candidate.implementation->name);
    if (const std::string reason = refuse(*candidate.recipe, *candidate.implementation); !reason.empty()) {
      sink_({{"kind", "refusal"}, {"name", c.name}, {"implementation", name}, {"reason", reason}});
      continue;
    }
    const Sets& sets = candidate.recipe == &whole ? whole_sets : branch_sets;
    prepared.push_back(std::make_unique<PreparedRecipe>(*backend_, *stream_, *candidate.recipe,
                                                        *candidate.implementation, sets));
    variants.push_back(
        {name, prepared.back()->detail(), [&p = *prepared.back()](int set) { p.enqueue(set); }});
  }
  const int sets = static_cast<int>(branch_sets.empty() ? whole_sets.size()
                                                        : std::min(whole_sets.size(), branch_sets.size()));
  const std::vector<Timing> timings = measure(*stream_, variants, sets, options_.budget_ms);
  for (std::size_t i = 0; i < variants.size(); ++i)
    report(line_of(c, options_.dtype), variants[i], timings[i], sets);
}

void Suite::run_labels(const Shape& logits, int width, int height) {
  const std::size_t labels = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
  const TensorDesc desc = TensorDesc::dense(logits, options_.dtype);
  const Sets sets = make_sets(*backend_, *stream_, options_.dtype, {desc.bytes(), labels, 256});
  auto axis = [](std::int64_t in, int out) {
    const double factor = static_cast<double>(in) / out;
    return AxisMap{factor, factor / 2 - 0.5};
  };
  const PhotoSampling photo{width, height, axis(logits.w, width), axis(logits.h, height), false};
  const Variant variant{
      "fused", "", [&](int set) {
        const auto& buffers = sets[static_cast<std::size_t>(set)];
        cuda::upsample_labels(
            {buffers[0]->data(), logits.w, logits.h, desc.pitch, static_cast<int>(logits.c), options_.dtype},
            photo, reinterpret_cast<std::uint8_t*>(buffers[1]->data()),
            reinterpret_cast<int*>(buffers[2]->data()), stream_of({{}, nullptr, nullptr, stream_.get()}));
      }};
  const int count = static_cast<int>(sets.size());
  const std::vector<Timing> timings = measure(*stream_, {variant}, count, options_.budget_ms);
  report({{"kind", "case"},
          {"group", "labels"},
          {"name", fmt::format("labels {}x{}x{} to {}x{}", logits.h, logits.w, logits.c, height, width)},
          {"dtype", to_string(options_.dtype)},
          {"problem",
           {{"op", "labels"},
            {"inputs", {{1, logits.h, logits.w, logits.c}}},
            {"output", {1, height, width, 1}}}},
          {"flops", 0},
          {"bytes", static_cast<double>(desc.bytes() + labels)}},
         variant, timings[0], count);
}

std::shared_ptr<const Network> Suite::make_network(const BenchNetwork& network) const {
  PlanOptions options;
  options.dtype = options_.dtype;
  options.tune = true;
  return std::make_shared<Network>(build(network), network.inputs.front(), backend_, options);
}

void Suite::run_network(const BenchNetwork& network, std::shared_ptr<const Network> optimised,
                        const Shape& input) {
  Executor executor(std::move(optimised));
  executor.prepare(input);
  const TensorView in = executor.input();
  const std::unique_ptr<DeviceMemory> noise =
      random_memory(*backend_, executor.stream(), options_.dtype, in.desc.bytes());
  std::vector<std::byte> pixels(in.desc.bytes());
  executor.stream().download(pixels.data(), noise->data(), pixels.size());
  constexpr int kWarmUps = 3, kRounds = 15;
  std::vector<double> microseconds;
  for (int round = -kWarmUps; round < kRounds; ++round) {
    executor.stream().upload(in.data, pixels.data(), pixels.size());  // the last run used it up
    executor.stream().synchronise();
    Stopwatch watch;
    executor.run();
    executor.stream().synchronise();
    if (round >= 0) microseconds.push_back(watch.lap() * 1e3);
  }
  Json implementations = Json::object();
  double flops = 0;
  for (const Step& step : executor.plan().steps) {
    implementations[std::string(step.implementation)] =
        implementations.value(std::string(step.implementation), 0) + 1;
    flops += step.cost.flops;
  }
  const std::vector<float> output = executor.read_output();
  bool finite = true;
  for (float value : output) finite = finite && std::isfinite(value);
  report({{"kind", "network"},
          {"group", network.group},
          {"name", network.name},
          {"dtype", to_string(options_.dtype)},
          {"input", {input.n, input.h, input.w, input.c}},
          {"flops", flops},
          {"arena_bytes", executor.plan().arena_bytes},
          {"finite", finite},
          {"implementations", implementations}},
         {"atrous", "", {}}, summarise(microseconds), 1);
}

void Suite::describe_device() {
  const cuda::DeviceInfo device = cuda::device_info(0);
  sink_({{"kind", "device"},
         {"name", device.name},
         {"capability", fmt::format("{}.{}", device.major, device.minor)},
         {"multiprocessors", device.multiprocessors},
         {"memory", device.memory},
         {"driver", device.driver},
         {"runtime", device.runtime},
         {"backend", backend_->describe()}});
}

void Suite::run(const std::vector<BenchNetwork>& networks) {
  for (const OperatorCase& c : ceilings()) attempt(c.group, c.name, [&] { run_operator(c); });
  std::vector<OperatorCase> cases;
  for (const BenchNetwork& network : networks) {
    const std::shared_ptr<const Network> optimised = make_network(network);
    for (const Shape& input : network.inputs) {
      const std::string at = fmt::format("{} {}x{}", network.name, input.h, input.w);
      if (input.n == 1) collect(optimised->graph(), input, at, cases);
      if (network.group != "operator")
        attempt(network.group, fmt::format("{} x{}", at, input.n),
                [&] { run_network(network, optimised, input); });
    }
  }
  for (const char* group : {"pyramid", "depthwise", "separable", "conv", "pool", "resize"})
    for (const OperatorCase& c : cases)
      if (c.group == group) attempt(c.group, c.name, [&] { run_operator(c); });
  attempt("labels", "labels at 513x513", [&] { run_labels({1, 65, 65, 21}, 513, 513); });
  attempt("labels", "labels at 1025x2049", [&] { run_labels({1, 129, 257, 21}, 2049, 1025); });
  attempt("ceiling", "ceilings once more", [&] {
    for (const OperatorCase& c : ceilings()) run_operator(c);
  });
}

}  // namespace atrous::bench
