// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "backend/backend.h"

namespace atrous::test {

/// The backend this test program was linked for: the CPU (device_cpu.cpp), or CUDA (device_cuda.cpp), real or
/// executed by the emulation layer.
std::shared_ptr<const Backend> tested_backend();

/// The activation types of tested_backend(), for gtest's parameters.
inline std::vector<DType> tested_types() {
  const std::shared_ptr<const Backend> backend = tested_backend();
  return {backend->activation_types().begin(), backend->activation_types().end()};
}

}  // namespace atrous::test
