// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "support/emulation/sanitizers.h"

namespace atrous::cuda::emulation {

/// Operations that a thread has begun, in groups that it commits and then waits for. They are done as late as
/// the hardware may do them: by the thread itself, when it waits.
template <typename Operation>
class Groups {
 public:
  void push(const Operation& operation) {
    Unwatched unwatched;
    open_.push_back(operation);
  }
  void commit() {
    Unwatched unwatched;
    ends_.push_back(open_.size());
  }
  /// Those of all but the newest `keep` groups, which the caller must now do; valid until the next call.
  std::span<const Operation> due(int keep) {
    Unwatched unwatched;
    due_.clear();
    const auto kept = static_cast<std::size_t>(keep);
    if (ends_.size() <= kept) return {};
    const std::size_t done = ends_.size() - kept, end = ends_[done - 1];
    due_.assign(open_.begin(), open_.begin() + static_cast<std::ptrdiff_t>(end));
    open_.erase(open_.begin(), open_.begin() + static_cast<std::ptrdiff_t>(end));
    ends_.erase(ends_.begin(), ends_.begin() + static_cast<std::ptrdiff_t>(done));
    for (std::size_t& group_end : ends_) group_end -= end;
    return due_;
  }
  void clear() {
    open_.clear();
    ends_.clear();
  }

 private:
  std::vector<Operation> open_, due_;
  std::vector<std::size_t> ends_;  ///< of committed groups, as indices into open_
};

}  // namespace atrous::cuda::emulation
