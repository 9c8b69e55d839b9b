// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace atrous::cli {

/// Exit statuses of the contract.
inline constexpr int kDone = 0, kSomeFailed = 1, kNothingRun = 2, kInterrupted = 130;

/// Each adds its subcommand to `app`; a call of the subcommand stores what to run, which returns the exit
/// status.
using Run = std::function<int()>;
/// `words`: the command line, for run.json.
void add_segment(CLI::App& app, Run& run, const std::vector<std::string>& words);
void add_refine(CLI::App& app, Run& run);
void add_import(CLI::App& app, Run& run);
void add_quantize(CLI::App& app, Run& run);
void add_eval(CLI::App& app, Run& run);
void add_inspect(CLI::App& app, Run& run);
void add_bench(CLI::App& app, Run& run);
void add_models(CLI::App& app, Run& run);
void add_serve(CLI::App& app, Run& run);

}  // namespace atrous::cli
