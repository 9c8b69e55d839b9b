// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace atrous::cli {

/// A command: its own parser, and what it does once that has parsed its arguments; `run` gets the words as
/// they were typed and returns an exit status. An Error that leaves `run` means that nothing was run.
struct Command {
  std::shared_ptr<CLI::App> app;
  std::function<int(const std::vector<std::string>& words)> run;
};

Command make_segment();
Command make_refine();
Command make_eval();
Command make_inspect();
Command make_bench();
Command make_models();

inline std::shared_ptr<CLI::App> make_parser(const std::string& name, const std::string& description) {
  auto app = std::make_shared<CLI::App>(description, name);
  app->get_formatter()->column_width(34);
  return app;
}

}  // namespace atrous::cli
