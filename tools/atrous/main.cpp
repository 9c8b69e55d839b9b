// SPDX-License-Identifier: Apache-2.0
#include <csignal>
#include <filesystem>
#include <iostream>

#include "backend/backend.h"
#include "commands.h"
#include "core/error.h"
#include "core/value.h"
#include "messages.h"
#include "options.h"
#include "refine/crf_params.h"

namespace atrous::cli {
namespace {

constexpr std::string_view kHint = " (--help lists what there is)";

std::string version_text() {
  std::string text = fmt::format("atrous {}\nbackends:", ATROUS_VERSION);
  for (const std::string& backend : compiled_backends()) text += " " + backend;
  for (const Device& device : find_devices())
    text += fmt::format("\n{}: {}", to_string(device), make_backend(device)->describe());
  return text;
}

/// Whether the word after a bare --crf or --superpixels is no file and could be meant as its value.
bool is_value_of(const std::string& option, const std::string& word) {
  std::error_code status;
  if (word.empty() || std::filesystem::exists(word, status)) return false;
  try {
    if (option == "--superpixels") {
      parse_superpixels(word);
    } else if (word != "off") {
      parse_crf(word);
    }
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// --crf and --superpixels take a value only behind '=', so that a photo after them is a photo.
std::vector<std::string> normalise(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] != "--crf" && words[i] != "--superpixels") continue;
    if (i + 1 < words.size() && is_value_of(words[i], words[i + 1]))
      fail(ErrorCode::invalid_argument, "{0} {1}: its value goes behind '=': {0}={1}", words[i],
           words[i + 1]);
    words[i] += "=default";
  }
  return {words.rbegin(), words.rend()};  // CLI11 takes a vector back to front
}

int run(int argc, char** argv) {
  CLI::App app(
      "Segments images with DeepLab and human-parsing networks, refined by a dense CRF and superpixels.",
      "atrous");
  app.set_version_flag("--version", version_text, "version, backends compiled in, devices found");
  app.require_subcommand(1);
  app.fallthrough(false);
  Run command;
  add_segment(app, command, {argv, argv + argc});
  add_refine(app, command);
  add_import(app, command);
  add_quantize(app, command);
  add_eval(app, command);
  add_inspect(app, command);
  add_bench(app, command);
  add_models(app, command);
  add_serve(app, command);
  try {
    app.parse(normalise(argc, argv));
    return command();
  } catch (const CLI::Success& done) {
    return app.exit(done);
  } catch (const CLI::RequiredError& error) {
    const std::vector<std::string> strays =
        app.remaining(true);  // a misspelt word is why something is missing
    say((strays.empty() ? error.what() : "The following argument was not expected: " + strays.front()) +
        std::string(kHint));
  } catch (const CLI::ParseError& error) {
    say(error.what() + std::string(kHint));
  } catch (const Error& error) {
    say(error.message());
  } catch (const std::bad_alloc&) {
    say("out of memory");
  } catch (const std::exception& error) {
    say(error.what());
  }
  return kNothingRun;
}

}  // namespace
}  // namespace atrous::cli

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that leaves must not cut files short; it is an error at the end
  atrous::cli::messages();        // before a library prints anything
  const int status = atrous::cli::run(argc, argv);
  if (std::cout.flush()) return status;
  atrous::cli::say("stdout: cannot be written");
  return status == atrous::cli::kDone ? atrous::cli::kSomeFailed : status;
}
