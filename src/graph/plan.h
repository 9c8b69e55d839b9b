// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "graph/graph.h"

namespace atrous {

/// What the compiler may do; everything is on unless a test or `bench` turns it off.
struct PlanOptions {
  bool fold_batch_norm = true;
  bool fuse = true;             ///< epilogues; pyramids and separable pairs of convolutions
  bool concat_in_place = true;  ///< producers write their slice of a concatenation
  bool reuse_memory = true;     ///< values whose lifetimes do not meet share the arena
  bool record = true;           ///< the steps as one recording where the device can replay one
  DType dtype = DType::f32;     ///< of the activations, one of the backend's activation_types()
  bool allow_tf32 = false;      ///< f32 products on tensor cores may round their factors to tf32
  /// The type that convolutions read, and write for each other, when `dtype` is f32 (narrow_convolutions()):
  /// f32, bf16, or s8 for 8 bits; what the backend's refuse_convolutions() allows.
  DType convolutions = DType::f32;
  bool tune = false;    ///< the fastest implementation by measuring; else the first that accepts
  bool poison = false;  ///< fill the arena with NaN before each run and each value after its last use
};

/// An implementation that was not chosen, and why: it refused, or it was slower.
struct Refusal {
  std::string implementation, reason;
};

/// One node made ready for one input shape.
struct Step {
  int node = 0;
  std::string_view implementation;
  std::vector<Refusal> refusals;
  std::unique_ptr<Kernel> kernel;
  std::vector<int>
      inputs;  ///< values (node indices); -1: an input that already lies in its slice of the output
  std::size_t workspace_offset = 0;
  Cost cost;
};

/// Where a node's value lies: `offset` bytes into the arena; a channel slice of a concatenation has the pitch
/// of the whole.
struct Placement {
  TensorDesc desc;
  std::size_t offset = 0;
  std::size_t bytes = 0;  ///< 0 where the value lies inside another one
  int last_use = 0;       ///< the last step that needs the memory; the number of steps for an output
};

/// A graph compiled for one input shape on one backend.
struct Plan {
  Shape input;
  std::vector<Step> steps;
  std::vector<Placement> values;  ///< by node index
  std::size_t arena_bytes = 0;
  std::size_t unshared_bytes = 0;  ///< what the arena would take if nothing were shared
};

class Network;
/// Throws Error{unsupported} where no implementation of a node accepts, with all reasons; shape errors as
/// infer_shapes.
std::unique_ptr<Plan> make_plan(const Network& network, const Shape& input, int threads);

}  // namespace atrous
