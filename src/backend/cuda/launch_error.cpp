// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/launch_error.h"

#include "core/error.h"

namespace atrous::cuda {

void launch_error(const std::string& doing, const std::string& reason) {
  fail(ErrorCode::internal, "{}: {}", doing, reason);
}

}  // namespace atrous::cuda
