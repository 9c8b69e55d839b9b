// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "pipeline/inputs.h"

namespace atrous {

/// One of `count` parts of the inputs, for as many processes or machines: inputs `index`, `index + count`,
/// ... counted from 1. All parts together are all inputs.
struct Shard {
  int index = 1, count = 1;
};

/// "I/N" with I from 1 to N; or "auto": from the variables of a Slurm array (SLURM_ARRAY_TASK_ID, _COUNT,
/// _MIN and _STEP) or of an indexed Kubernetes job (JOB_COMPLETION_INDEX, which counts from 0, and
/// JOB_COMPLETIONS, which the job's template has to set). `variable` gives a variable's value, nullptr where
/// it is not set. Throws Error{invalid_argument}.
Shard parse_shard(const std::string& text, const std::function<const char*(const char*)>& variable);

/// The shard's inputs, in their order.
std::vector<InputFile> take_shard(std::vector<InputFile> inputs, const Shard& shard);

/// A file that each shard has of its own: "report" and ".jsonl" make "report.jsonl", of the second of four
/// shards "report.2-of-4.jsonl".
std::string shard_file(const std::string& name, const Shard& shard, const std::string& ending);

}  // namespace atrous
