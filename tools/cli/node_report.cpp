// SPDX-License-Identifier: Apache-2.0
#include "cli/node_report.h"

namespace atrous::cli {
namespace {

NodeReport report_node(const Network& network, const Plan& plan, int index) {
  const Node& node = network.graph().node(index);
  const Placement& value = plan.values[static_cast<std::size_t>(index)];
  NodeReport report;
  report.name = node.name;
  report.op = describe_op(node.params);
  for (int input : node.inputs) report.inputs.push_back(network.graph().node(input).name);
  report.output = value.desc.shape;
  for (const Constant& constant : node.constants) report.parameters += constant.tensor.elements();
  report.implementation = "in place";
  report.arena_offset = value.offset;
  return report;
}

}  // namespace

std::vector<NodeReport> report_nodes(const Network& network, const Executor& executor) {
  const Plan& plan = executor.plan();
  std::vector<NodeReport> reports;
  for (int i = 1; i < network.graph().size(); ++i) reports.push_back(report_node(network, plan, i));
  const std::span<const double> seconds = executor.step_seconds();
  for (std::size_t s = 0; s < plan.steps.size(); ++s) {
    const Step& step = plan.steps[s];
    NodeReport& report = reports[static_cast<std::size_t>(step.node - 1)];
    report.cost = step.cost;
    report.implementation = step.implementation;
    report.detail = step.kernel->detail();
    report.refusals = step.refusals;
    report.workspace_bytes = step.kernel->workspace_bytes();
    if (!seconds.empty()) report.milliseconds = seconds[s] * 1e3;
  }
  return reports;
}

Cost total_cost(std::span<const NodeReport> nodes) {
  Cost total;
  for (const NodeReport& node : nodes) {
    total.flops += node.cost.flops;
    total.bytes += node.cost.bytes;
  }
  return total;
}

nlohmann::ordered_json to_json(const NodeReport& node) {
  nlohmann::ordered_json refusals = nlohmann::ordered_json::array();
  for (const Refusal& refusal : node.refusals)
    refusals.push_back({{"implementation", refusal.implementation}, {"reason", refusal.reason}});
  return {{"name", node.name},
          {"op", node.op},
          {"inputs", node.inputs},
          {"output", {node.output.n, node.output.h, node.output.w, node.output.c}},
          {"parameters", node.parameters},
          {"flops", node.cost.flops},
          {"bytes", node.cost.bytes},
          {"implementation", node.implementation},
          {"detail", node.detail},
          {"refusals", refusals},
          {"arena_offset", node.arena_offset},
          {"workspace_bytes", node.workspace_bytes},
          {"milliseconds", node.milliseconds}};
}

void fill_input(float* input, const Shape& shape) {
  std::uint32_t state = 1;
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    state = state * 1664525U + 1013904223U;
    input[i] = static_cast<float>(state >> 8U) / 8388608.0F - 1.0F;
  }
}

}  // namespace atrous::cli
