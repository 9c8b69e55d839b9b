// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/node_report.h"
#include "cli/open_model.h"
#include "cli/terminal.h"
#include "core/error.h"

namespace atrous::cli {
namespace {

struct Options {
  std::string model, size;
  DeviceArguments device;
  bool plan = false, dot = false, json = false;
};

struct Inspection {
  const Model& model;
  bool random_weights;
  const Plan& plan;
  Shape output;
  std::size_t packed_bytes;  ///< weights as the backend keeps them
  std::vector<NodeReport> nodes;
};

std::int64_t total_parameters(const Inspection& inspection) {
  std::int64_t total = 0;
  for (const NodeReport& node : inspection.nodes) total += node.parameters;
  return total;
}

std::string weights_text(const Inspection& inspection) {
  const ModelConfig& config = inspection.model.config();
  if (inspection.random_weights) return "random (its weights file is not here)";
  return fmt::format("{} ({})", config.weights.string(),
                     short_number(static_cast<double>(std::filesystem::file_size(config.weights)), "B"));
}

void print_summary(const Inspection& inspection) {
  const ModelConfig& config = inspection.model.config();
  const Cost cost = total_cost(inspection.nodes);
  std::vector<std::string> labels;
  for (const LabelClass& label : config.labels.classes) labels.push_back(label.name);
  fmt::print("model       {}: {}\n", config.name, config.task);
  if (!config.description.empty()) fmt::print("            {}\n", printable(config.description));
  fmt::print("config      {}\nweights     {}\n", config.file.string(), weights_text(inspection));
  fmt::print("device      {}\n", describe_device(inspection.model));
  fmt::print("input       {} f32 {}, (pixel * {:.6g} - [{:.6g}]) / [{:.6g}]\n",
             to_string(inspection.plan.input), config.input.bgr ? "BGR" : "RGB", config.input.scale,
             fmt::join(config.input.mean, ", "), fmt::join(config.input.std, ", "));
  fmt::print("output      {} f32, node '{}'\n", to_string(inspection.output), config.output);
  fmt::print("labels      {} ({}): {}\n", config.labels.size(), config.labels.name, fmt::join(labels, ", "));
  fmt::print("nodes       {}, of which {} run\n", inspection.nodes.size(), inspection.plan.steps.size());
  fmt::print("parameters  {}\n", short_number(static_cast<double>(total_parameters(inspection))));
  fmt::print("compute     {} ({})\n", short_number(cost.flops, "FLOP"), short_number(cost.flops / 2, "MAC"));
  fmt::print("traffic     {} read and written\n", short_number(cost.bytes, "B"));
  fmt::print("memory      {} arena ({} if nothing were shared), {} packed weights\n",
             short_number(static_cast<double>(inspection.plan.arena_bytes), "B"),
             short_number(static_cast<double>(inspection.plan.unshared_bytes), "B"),
             short_number(static_cast<double>(inspection.packed_bytes), "B"));
}

void print_nodes(const Inspection& inspection, bool with_plan) {
  std::vector<std::vector<std::string>> rows{{"node", "operator", "output", "parameters", "FLOP", "bytes"}};
  if (with_plan) rows[0].insert(rows[0].end(), {"ms", "arena offset", "implementation"});
  for (const NodeReport& node : inspection.nodes) {
    rows.push_back({node.name, node.op, to_string(node.output),
                    short_number(static_cast<double>(node.parameters)), short_number(node.cost.flops),
                    short_number(node.cost.bytes)});
    if (!with_plan) continue;
    std::string implementation = node.implementation;
    if (!node.detail.empty()) implementation += " (" + node.detail + ")";
    rows.back().insert(rows.back().end(), {fmt::format("{:.3f}", node.milliseconds),
                                           fmt::format("{}", node.arena_offset), implementation});
  }
  fmt::print("\n{}", format_table(rows));
  if (!with_plan) return;
  for (const NodeReport& node : inspection.nodes)
    for (const Refusal& refusal : node.refusals)
      fmt::print("{}: {} refused: {}\n", node.name, refusal.implementation, refusal.reason);
}

void print_dot(const Inspection& inspection) {
  fmt::print("digraph \"{}\" {{\n  node [shape=box];\n  \"input\" [label=\"input\\n{}\"];\n",
             inspection.model.config().name, to_string(inspection.plan.input));
  for (const NodeReport& node : inspection.nodes) {
    fmt::print("  \"{}\" [label=\"{}\\n{}\\n{}\"];\n", node.name, node.name, node.op, to_string(node.output));
    for (const std::string& input : node.inputs) fmt::print("  \"{}\" -> \"{}\";\n", input, node.name);
  }
  fmt::print("}}\n");
}

void print_json(const Inspection& inspection) {
  const ModelConfig& config = inspection.model.config();
  const Cost cost = total_cost(inspection.nodes);
  const Shape& in = inspection.plan.input;
  const Shape& out = inspection.output;
  nlohmann::ordered_json labels = nlohmann::ordered_json::array(), nodes = labels;
  for (const LabelClass& label : config.labels.classes) labels.push_back(label.name);
  for (const NodeReport& node : inspection.nodes) nodes.push_back(to_json(node));
  const nlohmann::ordered_json document{{"name", config.name},
                                        {"task", config.task},
                                        {"description", config.description},
                                        {"config", config.file.string()},
                                        {"weights", config.weights.string()},
                                        {"random_weights", inspection.random_weights},
                                        {"device", to_string(inspection.model.device())},
                                        {"backend", inspection.model.network()->backend().describe()},
                                        {"input", {in.n, in.h, in.w, in.c}},
                                        {"output", {out.n, out.h, out.w, out.c}},
                                        {"labels", labels},
                                        {"parameters", total_parameters(inspection)},
                                        {"flops", cost.flops},
                                        {"macs", cost.flops / 2},
                                        {"bytes", cost.bytes},
                                        {"arena_bytes", inspection.plan.arena_bytes},
                                        {"unshared_bytes", inspection.plan.unshared_bytes},
                                        {"packed_weight_bytes", inspection.packed_bytes},
                                        {"nodes", nodes}};
  fmt::print("{}\n", document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

int run(const Options& options) {
  const InspectedModel opened = open_for_inspection(options.model, options.device);
  const Shape input = chosen_input(opened.model->config(), options.size, 1);
  Executor executor(opened.model->network(), options.device.threads);
  executor.set_profiling(options.plan);
  const int runs = options.plan ? 2 : 0;  // the first touches the memory, the second is timed
  executor.prepare(input);
  for (int i = 0; i < runs; ++i) {
    fill_input(executor.prepare(input), input);
    executor.run();
  }
  const Inspection inspection{*opened.model,
                              opened.random_weights,
                              executor.plan(),
                              executor.output().desc.shape,
                              opened.model->network()->weights().bytes(),
                              report_nodes(*opened.model->network(), executor)};
  if (options.json) {
    print_json(inspection);
  } else if (options.dot) {
    print_dot(inspection);
  } else {
    print_summary(inspection);
    print_nodes(inspection, options.plan);
  }
  return kDone;
}

}  // namespace

Command make_inspect() {
  auto app =
      make_parser("inspect", "Inputs, labels, nodes, shapes, FLOPs, bytes, memory plan, implementations");
  auto options = std::make_shared<Options>();
  app->add_option("MODEL", options->model,
                  "a model's name, or a path to its YAML (default: the embedded model)");
  app->add_flag(
      "--plan", options->plan,
      "the chosen implementation of each node, why others refused, and its time in one profiled run");
  CLI::Option* dot = app->add_flag("--dot", options->dot, "the graph for Graphviz");
  app->add_flag("--json", options->json, "everything as one JSON document")->excludes(dot);
  app->add_option("--size", options->size, "network input, HEIGHTxWIDTH (default: the config's)");
  options->device.add_to(*app);
  app->footer(
      "Where the weights file of MODEL is missing, random weights stand in, and standard error says so.");
  return {app, [options](const auto&) { return run(*options); }};
}

}  // namespace atrous::cli
