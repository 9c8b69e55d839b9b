// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/cpu_backend.h"
#include "support/device.h"

namespace atrous::test {

std::shared_ptr<const Backend> tested_backend() { return make_cpu_backend(); }

}  // namespace atrous::test
