// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"

namespace atrous::test {

/// The backend whose operators a test program runs; each program that runs operator cases defines it.
struct BackendUnderTest {
  std::shared_ptr<const Backend> backend;
  std::string why_none;  ///< where `backend` is null: why this machine has no such device
};
BackendUnderTest backend_under_test();

}  // namespace atrous::test
