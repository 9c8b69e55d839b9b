// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pipeline/batch.h"
#include "pipeline/segmenter.h"

namespace atrous::cli {

/// Writes DIR/run.json: the command line, version, model with the SHA-256 of its config and weights, device,
/// and totals. Throws Error{io}.
void write_run_record(const std::filesystem::path& folder, const std::vector<std::string>& words,
                      const Model& model, const BatchSummary& summary, bool interrupted);

}  // namespace atrous::cli
