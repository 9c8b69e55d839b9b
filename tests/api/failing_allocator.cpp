// SPDX-License-Identifier: Apache-2.0
#include "failing_allocator.h"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <new>

namespace atrous::test {
namespace {

constexpr std::size_t kLarge = std::size_t{16} << 10U;

std::atomic<long> left{0};  ///< until one fails; 0 and below: none does
std::atomic<bool> only_large{false}, failed{false};

bool fails(std::size_t bytes) {
  if (left <= 0 || (only_large && bytes < kLarge) || left.fetch_sub(1) != 1) return false;
  failed = true;
  return true;
}

}  // namespace

void fail_allocation(Allocation kind, long n) {
  only_large = kind == Allocation::large;
  failed = false;
  left = n;
}

bool stop_failing() {
  left = 0;
  return failed;
}

}  // namespace atrous::test

namespace {

using atrous::test::fails;

#ifdef ATROUS_SANITIZED
void* take(std::size_t bytes) { return std::malloc(bytes); }
void* take_aligned(std::size_t alignment, std::size_t bytes) {
  return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}
#else
extern "C" void *__libc_malloc(std::size_t), *__libc_calloc(std::size_t, std::size_t),
    *__libc_realloc(void*, std::size_t), *__libc_memalign(std::size_t, std::size_t);
void* take(std::size_t bytes) { return __libc_malloc(bytes); }
void* take_aligned(std::size_t alignment, std::size_t bytes) { return __libc_memalign(alignment, bytes); }
#endif

void* make(std::size_t bytes) { return fails(bytes) ? nullptr : take(bytes); }
void* make(std::size_t bytes, std::align_val_t alignment) {
  return fails(bytes) ? nullptr : take_aligned(static_cast<std::size_t>(alignment), bytes);
}
void* or_throw(void* memory) { return memory != nullptr ? memory : throw std::bad_alloc(); }

}  // namespace

void* operator new(std::size_t n) { return or_throw(make(n)); }
void* operator new[](std::size_t n) { return or_throw(make(n)); }
void* operator new(std::size_t n, std::align_val_t a) { return or_throw(make(n, a)); }
void* operator new[](std::size_t n, std::align_val_t a) { return or_throw(make(n, a)); }
void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return make(n); }
void* operator new[](std::size_t n, const std::nothrow_t&) noexcept { return make(n); }
void* operator new(std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept { return make(n, a); }
void* operator new[](std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept { return make(n, a); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

#ifndef ATROUS_SANITIZED
namespace {

bool fails_large(std::size_t bytes) {
  if (!atrous::test::only_large || !fails(bytes)) return false;
  errno = ENOMEM;
  return true;
}

}  // namespace

extern "C" {
void* malloc(std::size_t n) { return fails_large(n) ? nullptr : __libc_malloc(n); }
void* calloc(std::size_t count, std::size_t n) {
  return fails_large(count * n) ? nullptr : __libc_calloc(count, n);
}
void* realloc(void* p, std::size_t n) { return fails_large(n) ? nullptr : __libc_realloc(p, n); }
void* memalign(std::size_t a, std::size_t n) { return fails_large(n) ? nullptr : __libc_memalign(a, n); }
void* aligned_alloc(std::size_t a, std::size_t n) { return memalign(a, n); }
int posix_memalign(void** p, std::size_t a, std::size_t n) {
  *p = memalign(a, n);
  return *p != nullptr ? 0 : ENOMEM;
}
}
#endif

/// What oneDNN and OpenCV lose of their own when an allocation of theirs fails is not ours to free.
extern "C" [[gnu::visibility("default")]] const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libdnnl\nleak:libopencv\n"; }
