// SPDX-License-Identifier: Apache-2.0
#include "cli/interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <ctime>

#include "cli/exit.h"
#include "cli/terminal.h"

namespace atrous::cli {
namespace {

sigset_t watched_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

Interrupt::Interrupt() {
  const sigset_t set = watched_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  watcher_ = std::thread([this] { watch(); });
}

Interrupt::~Interrupt() {
  over_ = true;
  watcher_.join();
  const sigset_t set = watched_signals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void Interrupt::watch() {
  const sigset_t set = watched_signals();
  const timespec wait{0, 50'000'000};
  while (!over_) {
    if (sigtimedwait(&set, nullptr, &wait) < 0) continue;
    if (source_.stop_requested()) ::_exit(kInterrupted);
    source_.request_stop();
    say("stopping after the images in flight (again to stop at once)");
  }
}

}  // namespace atrous::cli
