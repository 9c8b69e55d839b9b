// SPDX-License-Identifier: Apache-2.0
#include "interrupts.h"

#include <csignal>

namespace atrous::cli {
namespace {

std::stop_source& stop_source() {
  static std::stop_source source;
  return source;
}

void handle_both(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  for (const int number : {SIGINT, SIGTERM}) sigaction(number, &action, nullptr);
}

}  // namespace

std::stop_token watch_interrupts() {
  stop_source();  // not to be made by a handler
  handle_both([](int) {
    handle_both(SIG_DFL);
    stop_source().request_stop();
  });
  return stop_source().get_token();
}

}  // namespace atrous::cli
