// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace atrous::test {

/// What fails in programs that compile failing_allocator.cpp.
enum class Allocation {
  any_new,  ///< operator new in all its forms
  large     ///< of 16 KiB and more, by operator new or malloc and its kin, which C libraries call
};

/// From now on the n-th allocation of that kind (from 1) fails, of whichever thread; it alone.
/// The sanitizers have a malloc of their own: under them only operator new fails.
void fail_allocation(Allocation kind, long n);
/// No allocation fails any more. Has one?
bool stop_failing();

}  // namespace atrous::test
