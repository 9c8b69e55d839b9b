// SPDX-License-Identifier: Apache-2.0
#include "graph/plan.h"

#include <algorithm>

#include "graph/executor.h"
#include "graph/memory_planner.h"

namespace atrous {
namespace {

/// Where a value lies when another one holds it, a concatenation or the input it is written over: channels
/// [channel, channel + c) of value `whole`.
struct Slice {
  int whole = -1;  ///< -1: the value has memory of its own
  std::int64_t channel = 0;
};

class Planner {
 public:
  Planner(const Network& network, const Shape& input, int threads)
      : network_(network), graph_(network.graph()), threads_(threads), shapes_(infer_shapes(graph_, input)) {}

  std::unique_ptr<Plan> make() {
    auto plan = std::make_unique<Plan>();
    plan->input = shapes_[0];
    place_in_concats();
    describe_values(*plan);
    for (int i = 1; i < graph_.size(); ++i) add_step(*plan, i);
    if (network_.options().reuse_memory) write_over_inputs(*plan);
    place_in_arena(*plan);
    return plan;
  }

 private:
  static std::size_t at(int index) { return static_cast<std::size_t>(index); }

  /// A value may lie in a concat that reads it unless it is the graph's input (the caller writes it densely),
  /// an output (the caller reads it) or lies in another one already.
  void place_in_concats() {
    slices_.resize(shapes_.size());
    if (!network_.options().concat_in_place) return;
    for (int i = 1; i < graph_.size(); ++i) {
      if (graph_.node(i).kind() != OpKind::concat) continue;
      std::int64_t channel = 0;
      for (int input : graph_.node(i).inputs) {
        if (input != 0 && slices_[at(input)].whole < 0 && !graph_.is_output(input))
          slices_[at(input)] = {i, channel};
        channel += shapes_[at(input)].c;
      }
    }
  }

  /// The value that owns the memory of value i, and the first channel there.
  Slice root(int i) const {
    Slice slice{i, 0};
    while (slices_[at(slice.whole)].whole >= 0) {
      slice.channel += slices_[at(slice.whole)].channel;
      slice.whole = slices_[at(slice.whole)].whole;
    }
    return slice;
  }

  Quantisation storage_of(const Node& node) const {
    if (node.quantised) return *node.quantised;
    return {node.kind() == OpKind::argmax ? DType::i32 : network_.options().dtype};
  }

  /// The largest power of two, at most 64, that divides `bytes`.
  static std::size_t alignment_of(std::size_t bytes) {
    std::size_t alignment = 64;
    while (bytes % alignment != 0) alignment /= 2;
    return alignment;
  }

  void describe_values(Plan& plan) const {
    plan.values.resize(shapes_.size());
    for (int i = 0; i < graph_.size(); ++i) {
      Placement& value = plan.values[at(i)];
      const Slice owner = root(i);
      const auto [dtype, scale] = storage_of(graph_.node(i));
      value.desc = {shapes_[at(i)], shapes_[at(owner.whole)].c, dtype,
                    alignment_of(static_cast<std::size_t>(owner.channel) * size_of(dtype)), scale};
      if (owner.whole == i) value.bytes = value.desc.bytes();
    }
  }

  void add_step(Plan& plan, int index) {
    const Node& node = graph_.node(index);
    std::vector<TensorDesc> inputs;
    for (int input : node.inputs) inputs.push_back(plan.values[at(input)].desc);
    Step step;
    step.node = index;
    std::int64_t channel = 0;
    for (int input : node.inputs) {
      const Slice& slice = slices_[at(input)];
      step.inputs.push_back(slice.whole == index && slice.channel == channel ? -1 : input);
      channel += shapes_[at(input)].c;
    }
    if (std::all_of(step.inputs.begin(), step.inputs.end(), [](int input) { return input < 0; })) return;
    const NodeDesc desc{node.name,      node.params,
                        inputs,         plan.values[at(index)].desc,
                        node.constants, network_.options().allow_tf32};
    step.cost = schema_of(node.params).cost(node.params, input_shapes(node, shapes_), shapes_[at(index)]);
    with_place(node.where, node.name, [&] { choose(step, desc); });
    plan.steps.push_back(std::move(step));
  }

  void choose(Step& step, const NodeDesc& desc) {
    std::vector<const Implementation*> accepting;
    for (const Implementation& candidate : network_.backend().implementations(kind_of(desc.params))) {
      std::string reason = candidate.refuse(desc);
      if (reason.empty())
        accepting.push_back(&candidate);
      else
        step.refusals.push_back({std::string(candidate.name), std::move(reason)});
      if (!accepting.empty() && network_.tuner() == nullptr) break;
    }
    if (accepting.empty()) complain(step, desc);
    const Implementation* chosen = accepting.size() > 1 ? fastest(step, desc, accepting) : accepting.front();
    PrepareContext context{network_.weights(), threads_};
    step.implementation = chosen->name;
    step.kernel = chosen->prepare(desc, context);
  }

  const Implementation* fastest(Step& step, const NodeDesc& desc,
                                const std::vector<const Implementation*>& accepting) {
    const std::vector<Tuner::Measured> times = network_.tuner()->measure(desc, accepting);
    for (std::size_t i = 1; i < times.size(); ++i)
      step.refusals.push_back(
          {times[i].implementation, fmt::format("slower here: {:.3f} ms against {:.3f}",
                                                times[i].milliseconds, times[0].milliseconds)});
    return *std::find_if(accepting.begin(), accepting.end(), [&](const Implementation* candidate) {
      return candidate->name == times.front().implementation;
    });
  }

  [[noreturn]] void complain(const Step& step, const NodeDesc& desc) const {
    std::string reasons;
    for (const Refusal& refusal : step.refusals)
      reasons += (reasons.empty() ? "" : "; ") + refusal.implementation + ": " + refusal.reason;
    fail(ErrorCode::unsupported, "no implementation of '{}' on {} accepts it ({})",
         schema_of(desc.params).name, to_string(network_.backend().device()), reasons);
  }

  /// A kernel that can write over one of its inputs does so where nothing else needs that input's memory.
  void write_over_inputs(Plan& plan) {
    for (std::size_t s = 0; s < plan.steps.size(); ++s) {
      const int output = plan.steps[s].node, over = plan.steps[s].kernel->overwrites();
      if (over < 0) continue;
      const std::vector<int>& inputs = graph_.node(output).inputs;
      const int input = inputs[at(over)];
      const TensorDesc &desc = plan.values[at(output)].desc, &old = plan.values[at(input)].desc;
      if (!desc.is_dense() || !old.is_dense() || !(desc.shape == old.shape) ||
          size_of(desc.dtype) != size_of(old.dtype) || slices_[at(output)].whole >= 0)
        continue;
      auto shares = [&](int value) { return root(value).whole == root(input).whole; };
      const auto read = std::count_if(inputs.begin(), inputs.end(), shares);
      const bool needed =
          std::any_of(plan.steps.begin() + static_cast<std::ptrdiff_t>(s) + 1, plan.steps.end(),
                      [&](const Step& later) {
                        const auto& values = graph_.node(later.node).inputs;
                        return std::any_of(values.begin(), values.end(), shares);
                      }) ||
          std::any_of(graph_.outputs().begin(), graph_.outputs().end(), shares);
      if (needed || read > 1) continue;
      slices_[at(output)] = {input, 0};
      plan.values[at(output)].bytes = 0;
    }
  }

  /// Lifetimes count steps: a value lives from the step that first writes into it to the last that reads it;
  /// the input from the start, outputs to the end.
  void place_in_arena(Plan& plan) {
    const int steps = static_cast<int>(plan.steps.size());
    std::vector<Lifetime> blocks(shapes_.size(), Lifetime{0, steps, -1});
    auto touch = [&](int value, int step) {
      Lifetime& block = blocks[at(root(value).whole)];
      block.first = std::min(block.first, step);
      block.last = std::max(block.last, step);
    };
    touch(0, 0);
    for (int s = 0; s < steps; ++s) {
      const Step& step = plan.steps[at(s)];
      touch(step.node, s);
      for (int input : graph_.node(step.node).inputs) touch(input, s);
    }
    for (int output : graph_.outputs()) touch(output, steps);
    for (std::size_t i = 0; i < blocks.size(); ++i) blocks[i].bytes = plan.values[i].bytes;
    for (int s = 0; s < steps; ++s) blocks.push_back({plan.steps[at(s)].kernel->workspace_bytes(), s, s});
    for (const Lifetime& block : blocks) plan.unshared_bytes += block.bytes;
    if (!network_.options().reuse_memory)
      for (Lifetime& block : blocks) block = {block.bytes, 0, steps};

    const MemoryPlan memory = plan_memory(blocks);
    plan.arena_bytes = memory.arena_bytes;
    for (int i = 0; i < graph_.size(); ++i) {
      const Slice owner = root(i);
      Placement& value = plan.values[at(i)];
      value.offset = memory.offsets[at(owner.whole)] +
                     static_cast<std::size_t>(owner.channel) * size_of(value.desc.dtype);
      value.last_use = blocks[at(owner.whole)].last;
    }
    for (std::size_t s = 0; s < plan.steps.size(); ++s)
      plan.steps[s].workspace_offset = memory.offsets[shapes_.size() + s];
  }

  const Network& network_;
  const Graph& graph_;
  int threads_;
  std::vector<Shape> shapes_;
  std::vector<Slice> slices_;  // by value
};

}  // namespace

std::unique_ptr<Plan> make_plan(const Network& network, const Shape& input, int threads) {
  return Planner(network, input, threads).make();
}

}  // namespace atrous
