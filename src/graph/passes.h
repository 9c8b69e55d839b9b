// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/graph.h"

namespace atrous {

/// Rewrites that keep a graph's outputs (up to rounding). Each returns a new graph without nodes whose value
/// no output depends on.

/// Readers of an identity (or dropout) read its input instead.
Graph drop_identities(const Graph& graph);

/// A batch norm, or an add, sub, mul or div by a number, right after a convolution that nothing else reads
/// becomes part of it: y = s_o * conv(x) + t_o scales the weights (lazily, Constant::scale) and shifts the
/// bias.
Graph fold_affine(const Graph& graph);

/// A residual add and then an activation right after a convolution that nothing else reads become part of it,
/// as does an activation after a fully connected layer. `nominal` is an input extent to compare shapes at: an
/// add that broadcasts stays.
Graph fuse_epilogues(const Graph& graph, const Shape& nominal);

/// Two or more convolutions of one value, each read only by the same concatenation and next to each other in
/// it, become one pyramid node, image pooling (mean over the map, 1x1 convolution, resize to the map) as one
/// of them; so do convolutions of one value that are added up (a chain of residuals). For backends with an
/// implementation of pyramids; runs after fuse_epilogues().
Graph fuse_pyramids(const Graph& graph);

/// A depthwise convolution and the 1x1 convolution that alone reads it become one separable node. For
/// backends with an implementation of it; runs after fuse_epilogues() and fuse_pyramids(), whose branches it
/// leaves alone.
Graph fuse_separables(const Graph& graph);

/// Terms of a sum: 65536 * 255 * 128 fits 31 bits.
inline constexpr std::int64_t kMostQuantisedTaps = 65536;

/// Whether a convolution has what 8 bits need: 8-bit weights, an input with a range, and sums that 32 bits
/// hold.
bool can_quantise(const Graph& graph);

/// Convolutions read a narrower type: with s8, 8 bits, those that can_quantise() is about; with bf16, all but
/// those of the graph's input. What they make stays narrow where another of them reads it, directly, as its
/// residual or through a concatenation; `convert` nodes stand where the type of a value changes. Outputs keep
/// the plan's type. Runs last.
Graph narrow_convolutions(const Graph& graph, DType type);

}  // namespace atrous
