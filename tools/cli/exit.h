// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace atrous::cli {

/// Exit statuses, as scripts see them.
constexpr int kDone = 0;           ///< everything was done
constexpr int kSomeFailed = 1;     ///< some images failed, the others are written
constexpr int kNothingRun = 2;     ///< bad usage, unknown model, broken config or weights, no such device
constexpr int kInterrupted = 130;  ///< Ctrl-C; what was finished is written

}  // namespace atrous::cli
