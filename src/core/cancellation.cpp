// SPDX-License-Identifier: Apache-2.0
#include "core/cancellation.h"

#include <utility>

#include "core/error.h"

namespace atrous {
namespace {

thread_local std::stop_token current;

}  // namespace

CancelScope::CancelScope(std::stop_token token) : outer_(std::exchange(current, std::move(token))) {}

CancelScope::~CancelScope() { current = std::move(outer_); }

void check_cancelled() {
  if (current.stop_requested()) fail(ErrorCode::cancelled, "cancelled");
}

}  // namespace atrous
