// SPDX-License-Identifier: Apache-2.0
// The operator cases on CUDA: on a device, or on the CPU where the program is linked with the emulated runtime.
#include "backend/cuda/cuda_backend.h"
#include "support/backend_under_test.h"

namespace atrous::test {

BackendUnderTest backend_under_test() {
  std::string why;
  if (cuda::device_count(&why) == 0) return {nullptr, "no CUDA device: " + why};
  return {make_cuda_backend(0), {}};
}

}  // namespace atrous::test
