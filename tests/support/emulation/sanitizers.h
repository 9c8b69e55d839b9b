// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the execution layer says to the sanitizers. The layer itself is compiled without them, so that only
// the kernels' own accesses are watched; ATROUS_EMULATION_ASAN or _TSAN says that the program has one all the
// same.

#if defined(ATROUS_EMULATION_ASAN)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(ATROUS_EMULATION_TSAN)
#include <sanitizer/tsan_interface.h>
extern "C" void __tsan_ignore_thread_begin();
extern "C" void __tsan_ignore_thread_end();
#endif

namespace atrous::cuda::emulation {

/// While one lives, the thread sanitizer does not watch this fiber's allocations and copies.
struct Unwatched {
#if defined(ATROUS_EMULATION_TSAN)
  Unwatched() { __tsan_ignore_thread_begin(); }
  ~Unwatched() { __tsan_ignore_thread_end(); }
#else
  Unwatched() {}
  ~Unwatched() {}
#endif
  Unwatched(const Unwatched&) = delete;
  Unwatched& operator=(const Unwatched&) = delete;
};

/// What was done before publish(fence) happens before what follows observe(fence).
inline void publish([[maybe_unused]] void* fence) {
#if defined(ATROUS_EMULATION_TSAN)
  __tsan_release(fence);
#endif
}
inline void observe([[maybe_unused]] void* fence) {
#if defined(ATROUS_EMULATION_TSAN)
  __tsan_acquire(fence);
#endif
}

}  // namespace atrous::cuda::emulation
