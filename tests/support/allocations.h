// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace atrous::test {

/// How often operator new was called so far. Only in programs that compile graph/count_allocations.cpp.
std::size_t allocations();

}  // namespace atrous::test
