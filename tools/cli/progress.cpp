// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "cli/terminal.h"

namespace atrous::cli {
namespace {

constexpr std::size_t kBarWidth = 24;
constexpr double kRedrawSeconds = 0.1, kPlainSeconds = 5;

std::string duration_text(double seconds) {
  const auto whole = static_cast<long>(seconds + 0.5);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{}:{:02} min", whole / 60, whole % 60);
  return fmt::format("{}:{:02} h", whole / 3600, whole / 60 % 60);
}

}  // namespace

Progress::Progress(std::size_t total, bool quiet)
    : total_(total),
      quiet_(quiet || total < 2),
      bar_(is_terminal(STDERR_FILENO)),
      color_(wants_color(STDERR_FILENO)) {
  draw();
}

std::string Progress::status() const {
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  std::string text = fmt::format("{}/{} images", done_, total_);
  if (failed_ > 0) text += fmt::format(", {} failed", failed_);
  if (done_ > 0 && seconds > 0) {
    const double rate = static_cast<double>(done_) / seconds;
    text += fmt::format(", {:.{}f}/s", rate, rate < 10 ? 2 : 0);
    if (done_ < total_) text += ", " + duration_text(static_cast<double>(total_ - done_) / rate) + " left";
  }
  return text;
}

void Progress::advance(bool failed) {
  ++done_;
  failed_ += failed ? 1 : 0;
  const double since = std::chrono::duration<double>(Clock::now() - shown_).count();
  if (since < (bar_ ? kRedrawSeconds : kPlainSeconds) && done_ < total_) return;
  shown_ = Clock::now();
  if (bar_)
    draw();
  else if (!quiet_)
    say(status());
}

void Progress::draw() {
  if (quiet_ || !bar_ || total_ == 0) return;
  const std::size_t filled = std::min(kBarWidth, done_ * kBarWidth / total_);
  fmt::print(stderr, "\r\x1b[K{}[{}{}]{} {}", color_ ? "\x1b[36m" : "", std::string(filled, '#'),
             std::string(kBarWidth - filled, '.'), color_ ? "\x1b[0m" : "", status());
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::erase() {
  if (!drawn_) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
  drawn_ = false;
}

void Progress::result(const std::string& line) {
  erase();
  fmt::print("{}\n", line);
  std::fflush(stdout);
  draw();
}

void Progress::message(const std::string& text) {
  erase();
  say(text);
  draw();
}

}  // namespace atrous::cli
