// SPDX-License-Identifier: Apache-2.0
// The operator cases on the CPU.
#include "support/backend_under_test.h"

namespace atrous::test {

BackendUnderTest backend_under_test() { return {make_backend({}), {}}; }

}  // namespace atrous::test
