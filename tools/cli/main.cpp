// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/terminal.h"
#include "cli/version.h"
#include "core/error.h"
#include "core/value.h"

namespace atrous::cli {
namespace {

/// The option of `app` that is spelled most like `word`, or "".
std::string nearest_option(const CLI::App& app, const std::string& word) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return nearest_word(word.substr(0, word.find('=')), names);
}

/// One line for what is wrong with a command line.
std::string usage_message(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> extras = app.remaining();
  std::string message = error.what();
  if (!extras.empty()) {
    const bool option = extras.front().rfind('-', 0) == 0;
    message = fmt::format("{} '{}'", option ? "unknown option" : "unexpected argument", extras.front());
    const std::string near = option ? nearest_option(app, extras.front()) : "";
    if (!near.empty()) message += fmt::format(" (did you mean '{}'?)", near);
  }
  std::replace(message.begin(), message.end(), '\n', ' ');
  return fmt::format("{}; `atrous {} --help` lists the options", message, app.get_name());
}

int run_command(const Command& command, const std::vector<std::string>& words) {
  std::vector<std::string> arguments =
      fill_optional_values({words.begin() + 1, words.end()}, command.app->get_name() == "refine");
  std::reverse(arguments.begin(), arguments.end());  // the order CLI11 takes them in
  try {
    command.app->parse(arguments);
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", command.app->help("atrous"));
    return kDone;
  } catch (const CLI::ParseError& error) {
    say(usage_message(*command.app, error));
    return kNothingRun;
  }
  return command.run(words);
}

std::string help_text(const std::vector<Command>& commands) {
  std::string text =
      "atrous segments photos: DeepLab and human-parsing networks, dense CRF and superpixels\n\n"
      "Usage: atrous COMMAND [OPTIONS]\n       atrous --version\n\nCommands:\n";
  for (const Command& command : commands)
    text += fmt::format("  {:<10} {}\n", command.app->get_name(), command.app->get_description());
  return text +
         "\nExit status: 0 all done; 1 some images failed; 2 nothing was run; 130 stopped by Ctrl-C.\n"
         "`atrous COMMAND --help` lists the options of a command.\n";
}

int run(const std::vector<std::string>& arguments) {
  const std::vector<Command> commands{make_segment(), make_refine(), make_eval(),
                                      make_inspect(), make_bench(),  make_models()};
  if (arguments.empty()) {
    fmt::print(stderr, "{}", help_text(commands));
    return kNothingRun;
  }
  const std::string& name = arguments[0];
  if (name == "--help" || name == "-h" || name == "help") {
    fmt::print("{}", help_text(commands));
    return kDone;
  }
  if (name == "--version") {
    fmt::print("{}", version_text());
    return kDone;
  }
  std::vector<std::string> names;
  for (const Command& command : commands) {
    names.push_back(command.app->get_name());
    if (names.back() == name) return run_command(command, arguments);
  }
  const std::string near = nearest_word(name, names);
  fail(ErrorCode::invalid_argument, "unknown {} '{}'{}; `atrous --help` lists the commands",
       name.rfind('-', 0) == 0 ? "option" : "command", name,
       near.empty() ? "" : " (did you mean '" + near + "'?)");
}

/// Results that did not reach standard output are a failure too (a full disk, for instance).
int flush_results(int status) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return status;
  say(fmt::format("standard output: {}", std::strerror(errno)));
  return std::max(status, kSomeFailed);
}

}  // namespace
}  // namespace atrous::cli

int main(int argc, char** argv) {
  using namespace atrous::cli;
  try {
    return flush_results(run({argv + 1, argv + argc}));
  } catch (const atrous::Error& error) {
    say(error.message());
  } catch (const std::bad_alloc&) {
    say("out of memory");
  } catch (const std::exception& error) {
    say(fmt::format("internal error: {}", error.what()));
  }
  std::fflush(stdout);
  return kNothingRun;
}
