// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace atrous::cuda::emulation {

/// Device and pinned memory that has been allocated and not yet released; for tests of leaks.
std::size_t live_bytes();
std::size_t live_allocations();

}  // namespace atrous::cuda::emulation
