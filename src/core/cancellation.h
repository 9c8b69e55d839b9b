// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stop_token>

namespace atrous {

/// While one lives, work of the calling thread can be cancelled through `token`; the innermost one counts.
class CancelScope {
 public:
  explicit CancelScope(std::stop_token token);
  ~CancelScope();
  CancelScope(const CancelScope&) = delete;
  CancelScope& operator=(const CancelScope&) = delete;

 private:
  std::stop_token outer_;
};

/// Long work calls this between its steps, never within a parallel loop. Throws Error{cancelled} where the
/// calling thread's CancelScope was asked to stop.
void check_cancelled();

}  // namespace atrous
