// SPDX-License-Identifier: Apache-2.0
#include "support/emulation/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <boost/context/detail/fcontext.hpp>
#include <cerrno>

#include "core/error.h"
#include "support/emulation/sanitizers.h"

namespace atrous::cuda::emulation {
namespace context = boost::context::detail;

namespace {

std::size_t slot_bytes() {
  static const std::size_t bytes = StackArena::kStackBytes + static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

}  // namespace

StackArena::~StackArena() {
  if (memory_ != nullptr) munmap(memory_, count_ * slot_bytes());
}

void StackArena::prepare(unsigned count) {
#if !defined(ATROUS_EMULATION_TSAN)
  if (count <= count_) return;
#endif
  Unwatched unwatched;
  if (memory_ != nullptr) munmap(memory_, count_ * slot_bytes());
  memory_ = nullptr;
  void* memory = mmap(nullptr, count * slot_bytes(), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) fail(ErrorCode::out_of_memory, "emulation: no memory for {} stacks", count);
  memory_ = static_cast<std::byte*>(memory);
  count_ = count;
  for (unsigned i = 0; i < count; ++i)
    mprotect(memory_ + i * slot_bytes(), slot_bytes() - kStackBytes, PROT_NONE);  // stacks grow down into it
}

std::byte* StackArena::bottom(unsigned index) const {
  return memory_ + (index + 1) * slot_bytes() - kStackBytes;
}

namespace {

thread_local Fiber* entering = nullptr;

void trampoline(context::transfer_t from) { entering->run(from.fctx); }

}  // namespace

void Fiber::create(std::byte* stack_bottom, Entry entry) {
  entry_ = entry;
  stack_bottom_ = stack_bottom;
  own_fake_stack_ = nullptr;
  context_ =
      context::make_fcontext(stack_bottom + StackArena::kStackBytes, StackArena::kStackBytes, trampoline);
#if defined(ATROUS_EMULATION_TSAN)
  tsan_ = __tsan_create_fiber(0);
#endif
}

void Fiber::destroy() {
#if defined(ATROUS_EMULATION_TSAN)
  __tsan_destroy_fiber(tsan_);
#endif
}

void Fiber::resume() {
  entering = this;
#if defined(ATROUS_EMULATION_ASAN)
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, stack_bottom_, StackArena::kStackBytes);
#endif
#if defined(ATROUS_EMULATION_TSAN)
  scheduler_tsan_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(tsan_, __tsan_switch_to_fiber_no_sync);
#endif
  context_ = context::jump_fcontext(context_, nullptr).fctx;
#if defined(ATROUS_EMULATION_ASAN)
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
}

void Fiber::leave([[maybe_unused]] bool for_good) {
#if defined(ATROUS_EMULATION_ASAN)
  __sanitizer_start_switch_fiber(for_good ? nullptr : &own_fake_stack_, scheduler_bottom_, scheduler_size_);
#endif
#if defined(ATROUS_EMULATION_TSAN)
  __tsan_switch_to_fiber(scheduler_tsan_, __tsan_switch_to_fiber_no_sync);
#endif
  scheduler_ = context::jump_fcontext(scheduler_, nullptr).fctx;
#if defined(ATROUS_EMULATION_ASAN)
  __sanitizer_finish_switch_fiber(own_fake_stack_, &scheduler_bottom_, &scheduler_size_);
#endif
}

void Fiber::suspend() { leave(false); }

void Fiber::run(void* scheduler) {
  scheduler_ = scheduler;
#if defined(ATROUS_EMULATION_ASAN)
  __sanitizer_finish_switch_fiber(nullptr, &scheduler_bottom_, &scheduler_size_);
#endif
  entry_();
  leave(true);
}

}  // namespace atrous::cuda::emulation
