// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stop_token>

namespace atrous::cli {

/// From now on, the first SIGINT (Ctrl-C) or SIGTERM (a scheduler's) asks the program to finish what is in
/// flight and stop; the next one, of either kind, ends it at once. To be called once.
std::stop_token watch_interrupts();

}  // namespace atrous::cli
