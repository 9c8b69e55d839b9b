// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/value.h"
#include "graph/executor.h"
#include "quantise/histogram.h"

namespace atrous {

/// Quantisation of a trained network after the fact: which convolutions, on what ranges, with which weights.
///
/// A convolution stays as it is where 8 bits gain little: those that read the network's input (its 8 bits of
/// a colour would become 7, and three channels fill no vector), those on a map of one pixel, and those that
/// 32 bits cannot sum up. Depthwise ones are not faster on 8 bits but keep their neighbours on them, and
/// classifiers lose nothing that could be measured. Nodes that share weights go together.
class Quantiser {
 public:
  /// `graph`: with every node of the config by itself (ModelOptions::separate_nodes). `keep`: nodes to leave
  /// as they are. Throws Error{invalid_argument} for one that is no convolution of the graph,
  /// Error{unsupported} where weights are on 8 bits already or no convolution is left.
  Quantiser(const Graph& graph, const Shape& nominal, const std::set<std::string>& keep);

  /// For Executor::set_observer, on the plan of that graph. Throws Error{bad_file} where a value is not
  /// finite.
  void observe(const Node& node, const TensorView& value);

  /// `NODE: [low, high]` of all values that 8-bit convolutions may read, add or write.
  Value ranges(const CalibrationOptions& options) const;

  /// The graph's constants: int8 and a scale a channel for the weights of the chosen convolutions, the others
  /// as they are. The widest types first, so that each lies aligned in a file.
  std::vector<TensorRef> tensors() const;

  std::size_t convolutions() const { return chosen_.size(); }  ///< on 8 bits
  std::size_t kept() const { return kept_; }                   ///< not

 private:
  void choose(const Shape& nominal, const std::set<std::string>& keep);
  void find_observed();

  const Graph& graph_;
  std::set<int> chosen_;
  std::size_t kept_ = 0;
  std::map<std::string, MagnitudeHistogram, std::less<>> histograms_;  ///< by name of the observed node
};

}  // namespace atrous
