// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "core/error.h"
#include "model_run.h"
#include "options.h"
#include "pipeline/tile_plan.h"

namespace atrous::cli {
namespace {

using Json = nlohmann::ordered_json;

struct InspectArguments {
  ModelArguments model;
  std::string size;
  bool plan = false, dot = false, json = false;
};

void print_dot(const Graph& graph, std::span<const Shape> shapes) {
  std::cout << "digraph atrous {\n  node [shape=box, fontname=\"sans-serif\"];\n";
  for (int i = 0; i < graph.size(); ++i) {
    const Node& node = graph.node(i);
    std::cout << fmt::format("  n{} [label=\"{}\\n{} {}\"];\n", i, node.name, schema_of(node.params).name,
                             to_string(shapes[static_cast<std::size_t>(i)]));
    for (int input : node.inputs) std::cout << fmt::format("  n{} -> n{};\n", input, i);
  }
  std::cout << "}\n";
}

Json describe_plan(const Executor& executor, const Graph& graph) {
  Json steps = Json::array();
  const Plan& plan = executor.plan();
  for (std::size_t s = 0; s < plan.steps.size(); ++s) {
    const Step& step = plan.steps[s];
    const double seconds = executor.step_seconds()[s];
    Json refused = Json::array();
    for (const Refusal& refusal : step.refusals)
      refused.push_back({{"implementation", refusal.implementation}, {"reason", refusal.reason}});
    const Placement& value = plan.values[static_cast<std::size_t>(step.node)];
    steps.push_back({{"node", graph.node(step.node).name},
                     {"op", schema_of(graph.node(step.node).params).name},
                     {"shape", to_string(value.desc.shape)},
                     {"type", to_string(value.desc.dtype)},
                     {"implementation", step.implementation},
                     {"detail", step.kernel->detail()},
                     {"refused", refused},
                     {"flops", step.cost.flops},
                     {"bytes", step.cost.bytes},
                     {"offset", value.offset},
                     {"ms", seconds * 1e3},
                     {"gflops", step.cost.flops / std::max(seconds, 1e-9) / 1e9}});
  }
  return steps;
}

void print_plan(const Json& steps) {
  std::cout << fmt::format("{:44} {:22} {:4} {:28} {:>9} {:>8} {:>8} {:>9}\n", "node", "shape", "type",
                           "implementation", "MFLOP", "MB", "ms", "GFLOP/s");
  for (const Json& s : steps) {
    const std::string detail = s["detail"].get<std::string>();
    std::cout << fmt::format("{:44} {:22} {:4} {:28} {:9.1f} {:8.2f} {:8.3f} {:9.1f}\n",
                             s["node"].get<std::string>(), s["shape"].get<std::string>(),
                             s["type"].get<std::string>(),
                             s["implementation"].get<std::string>() + (detail.empty() ? "" : " " + detail),
                             s["flops"].get<double>() / 1e6, s["bytes"].get<double>() / 1e6,
                             s["ms"].get<double>(), s["gflops"].get<double>());
    for (const Json& refusal : s["refused"])
      std::cout << fmt::format("    refused: {}: {}\n", refusal["implementation"].get<std::string>(),
                               refusal["reason"].get<std::string>());
  }
}

/// What the scores see of the input, and what tiles need (`segment --tile`).
Json describe_field(const Graph& graph, const Shape& input) {
  const ReceptiveFields fields = receptive_fields(graph);
  if (!fields.refusal.empty()) return {{"tiles", "none: " + fields.refusal}};
  const TileNeeds needs = tile_needs(graph, fields, input);
  if (needs.field.fixed) return {{"tiles", "none: the scores do not grow with the input"}};
  auto pixels = [](const AxisField& axis) { return axis.high - axis.low + 1; };
  return {{"rows", pixels(needs.field.rows)},
          {"columns", pixels(needs.field.columns)},
          {"row_stride", needs.field.rows.stride.value()},
          {"column_stride", needs.field.columns.stride.value()},
          {"global", needs.field.global},
          {"tiles", needs.field.global
                        ? "differ from the whole image: the network pools over all of it"
                        : fmt::format("equal the whole image from an overlap of {} on", needs.overlap)},
          {"overlap", needs.overlap}};
}

std::string field_in_words(const Json& field) {
  std::string text;
  if (field.contains("rows"))
    text = fmt::format("{}{}x{} pixels, stride {}; ", field["global"] ? "all of the input, and closely " : "",
                       field["columns"].get<double>(), field["rows"].get<double>(),
                       field["column_stride"].get<double>());
  return text + "tiles: " + field["tiles"].get<std::string>();
}

int inspect(const InspectArguments& arguments) {
  ModelOptions options = arguments.model.options;
  options.random_weights = true;
  const std::shared_ptr<const Model> model = Model::open(arguments.model.model, options);
  const ModelConfig& config = model->config();
  const Shape input = parse_size(arguments.size, config.input, 1);
  const Graph& graph = model->network()->graph();
  const std::vector<Shape> shapes = infer_shapes(graph, input);
  if (arguments.dot) {
    print_dot(graph, shapes);
    return kDone;
  }
  Executor executor(model->network(), arguments.model.threads);
  executor.set_profiling(arguments.plan);
  for (int run = 0; run < (arguments.plan ? 2 : 0); ++run)
    run_on_noise(executor, input);  // the first warms up
  if (!arguments.plan) executor.prepare(input);
  double flops = 0, bytes = 0;
  for (const Step& step : executor.plan().steps) flops += step.cost.flops, bytes += step.cost.bytes;
  Json names = Json::array();
  for (const LabelClass& label : config.labels.classes) names.push_back(label.name);
  std::string files;
  for (const WeightsFile& file : config.weights) files += (files.empty() ? "" : ", ") + file.path.string();
  if (model->has_random_weights()) files = "random (the file is not here)";
  Json result{{"name", config.name},
              {"task", config.task},
              {"config", config.file.string()},
              {"weights", files},
              {"device", to_string(model->backend().device())},
              {"backend", model->backend().describe()},
              {"input", to_string(input)},
              {"output", to_string(shapes[static_cast<std::size_t>(graph.outputs()[0])])},
              {"receptive_field", describe_field(graph, input)},
              {"labels", names},
              {"parameters", model->parameters()},
              {"nodes", config.nodes.size()},
              {"steps", executor.plan().steps.size()},
              {"flops", flops},
              {"macs", flops / 2},
              {"bytes", bytes},
              {"arena_bytes", executor.plan().arena_bytes},
              {"arena_bytes_unshared", executor.plan().unshared_bytes},
              {"packed_weight_bytes", model->network()->weights().bytes()}};
  if (arguments.plan) result["plan"] = describe_plan(executor, graph);
  if (arguments.json) {
    std::cout << result.dump(2) << "\n";
    return kDone;
  }
  for (const char* key : {"name", "task", "config", "weights", "backend", "input", "output"})
    std::cout << fmt::format("{:12} {}\n", key, result[key].get<std::string>());
  std::cout << fmt::format("{:12} {}\n", "sees", field_in_words(result["receptive_field"]));
  std::string labels;
  for (const LabelClass& label : config.labels.classes) labels += (labels.empty() ? "" : ", ") + label.name;
  std::cout << fmt::format("{:12} {} ({})\n{:12} {:.3f} M\n{:12} {:.3f} G multiply-adds\n", "labels",
                           config.labels.size(), labels, "parameters",
                           static_cast<double>(model->parameters()) / 1e6, "work", flops / 2e9);
  std::cout << fmt::format(
      "{:12} {} in the config, {} steps after fusion\n{:12} {:.1f} MB arena ({:.1f} MB without sharing), "
      "{:.1f} MB packed weights\n",
      "nodes", config.nodes.size(), executor.plan().steps.size(), "memory",
      static_cast<double>(executor.plan().arena_bytes) / 1e6,
      static_cast<double>(executor.plan().unshared_bytes) / 1e6,
      static_cast<double>(model->network()->weights().bytes()) / 1e6);
  if (arguments.plan) print_plan(result["plan"]);
  return kDone;
}

}  // namespace

void add_inspect(CLI::App& app, Run& run) {
  auto arguments = std::make_shared<InspectArguments>();
  CLI::App* command = app.add_subcommand(
      "inspect", "inputs, labels, nodes, shapes, FLOPs, memory and implementations of a model");
  arguments->model.add_to(*command, true);
  command->add_option("--size", arguments->size, "input extent HxW; default: the config's");
  command->add_flag("--plan", arguments->plan,
                    "every step: implementation, refusals, FLOPs, bytes, time of one run");
  command->add_flag("--json", arguments->json, "as JSON");
  command->add_flag("--dot", arguments->dot, "the graph for Graphviz")
      ->excludes("--plan")
      ->excludes("--json");
  command->callback([arguments, &run] { run = [arguments] { return inspect(*arguments); }; });
}

}  // namespace atrous::cli
