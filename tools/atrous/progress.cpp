// SPDX-License-Identifier: Apache-2.0
#include "progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "messages.h"

namespace atrous::cli {

Progress::Progress(std::size_t total, bool quiet)
    : total_(total), shown_(!quiet && total != 1), terminal_(isatty(fileno(messages())) != 0) {
  const char* term = std::getenv("TERM");
  const char* no_color = std::getenv("NO_COLOR");
  const bool dumb = term == nullptr || std::string_view(term) == "dumb";
  terminal_ = terminal_ && !dumb;
  color_ = terminal_ && (no_color == nullptr || *no_color == '\0');
  start_ = drawn_ = std::chrono::steady_clock::now();
}

Progress::~Progress() {
  if (shown_ && terminal_) clear();
}

void Progress::clear() {
  if (shown_ && terminal_) std::fputs("\r\x1b[K", messages());
}

void Progress::advance() {
  ++done_;
  const auto now = std::chrono::steady_clock::now();
  const bool last = done_ == total_ && total_ > 0;
  if (!shown_ || (!last && now - drawn_ < (terminal_ ? std::chrono::milliseconds(100)
                                                     : std::chrono::milliseconds(5000))))
    return;
  drawn_ = now;
  draw(last);
}

void Progress::draw(bool last) {
  const double elapsed = std::chrono::duration<double>(drawn_ - start_).count();
  const double rate = elapsed > 0 ? static_cast<double>(done_) / elapsed : 0;
  const double left = rate > 0 && total_ > 0 ? static_cast<double>(total_ - done_) / rate : 0;
  const std::string text =
      total_ == 0 ? fmt::format("{}  {:.1f} images/s", done_, rate)
                  : fmt::format("{}/{}  {:.1f} images/s  {}", done_, total_, rate,
                                last ? fmt::format("{:.1f} s", elapsed) : fmt::format("{:.0f} s left", left));
  if (terminal_ && total_ == 0) {
    fmt::print(messages(), "\r\x1b[K{}", text);
    return;
  }
  if (!terminal_) {
    fmt::print(messages(), "{}\n", text);
    return;
  }
  constexpr std::size_t kWidth = 30;
  const std::size_t filled = kWidth * done_ / total_;
  const std::string bar = std::string(filled, '=') + std::string(kWidth - filled, ' ');
  fmt::print(messages(), "\r\x1b[K[{}{}{}] {}", color_ ? "\x1b[32m" : "", bar, color_ ? "\x1b[0m" : "", text);
}

}  // namespace atrous::cli
