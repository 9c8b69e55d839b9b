// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "config/model_config.h"
#include "core/value.h"

namespace atrous {

/// A reusable part of a network. In its nodes `input` is the first input of its use, and `inputs` names the
/// others.
struct Block {
  Value definition;  ///< a map: parameters, inputs, nodes, output
};
using BlockLibrary = std::map<std::string, Block, std::less<>>;

/// Adds the blocks of a map name -> definition. Throws Error{bad_config} where a name is there already.
void add_blocks(BlockLibrary& library, const Value& blocks);

/// What a list of nodes expands to.
struct Expansion {
  std::vector<NodeSpec> nodes;
  std::string output;  ///< full path of the node that makes the list's output
};

/// Expands blocks, repeats, parameters and conditions (configs/schema.md). `output` names the result, "" =
/// the last node. `networks` (a map, or null) are expanded first, each under its name, which `nodes` and
/// later networks may read. Throws Error{bad_config} "file:line: ...".
Expansion expand_network(const Value& nodes, const std::string& output, const Value& parameters,
                         const BlockLibrary& library, const Value& networks = {});

}  // namespace atrous
