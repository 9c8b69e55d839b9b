// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace atrous {

/// A positive ratio of whole numbers in lowest terms.
struct Ratio {
  std::int64_t over = 1, under = 1;

  Ratio() = default;
  Ratio(std::int64_t numerator, std::int64_t denominator);
  double value() const { return static_cast<double>(over) / static_cast<double>(under); }
  Ratio operator*(const Ratio& other) const { return {over * other.over, under * other.under}; }
  Ratio operator/(const Ratio& other) const { return {over * other.under, under * other.over}; }
  bool operator==(const Ratio&) const = default;
};

/// What one axis of a value sees of the network's input: element i depends on the inputs at most from
/// stride * i + low to stride * i + high (both included), where the input goes on without borders.
struct AxisField {
  Ratio stride;
  double low = 0, high = 0;
};

/// What a value of the network depends on.
struct ReceptiveField {
  AxisField rows, columns;
  bool global = false;  ///< on all of the input, through pooling over the map
  bool fixed =
      false;  ///< its extent does not follow the input's (a pooled value); rows, columns mean nothing
};

/// What every value of a graph sees.
struct ReceptiveFields {
  std::vector<ReceptiveField> values;  ///< by node
  /// A window of the input whose corner lies at multiples of these is sampled as the whole input is. Their
  /// least common multiple is at most 2^20.
  std::int64_t row_period = 1, column_period = 1;
  /// Why a window cannot stand for a part of the input at all, a node in it ("node 'fc' ..."); "" = it can.
  std::string refusal;
};

/// With a refusal only the values before that node are filled.
ReceptiveFields receptive_fields(const Graph& graph);

/// Whether every resize of a map reads inputs of these two extents at the same steps, so that one's result
/// can be a part of the other's. Throws as infer_shapes.
bool resizes_alike(const Graph& graph, const ReceptiveFields& fields, const Shape& a, const Shape& b);

}  // namespace atrous
