// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "config/model_config.h"
#include "graph/graph.h"

namespace atrous {

/// Digest of all that decides what a model makes of a photo: its config with blocks and labels written out,
/// and the weights of its graph (as built, before any pass, so that it is the same on every device).
std::string model_digest(const ModelConfig& config, const Graph& graph);

}  // namespace atrous
