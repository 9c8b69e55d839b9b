// SPDX-License-Identifier: Apache-2.0
#include "support/emulation/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <boost/context/detail/fcontext.hpp>

#include "core/error.h"
#include "support/emulation/sanitizers.h"

namespace atrous::cuda::emulation {
namespace context = boost::context::detail;

namespace {

std::size_t slot_bytes() {
  static const std::size_t bytes = FiberPool::kStackBytes + static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

}  // namespace

FiberPool::~FiberPool() {
#if defined(ATROUS_EMULATION_TSAN)
  for (void* identity : identities_) __tsan_destroy_fiber(identity);
#endif
  if (memory_ != nullptr) munmap(memory_, count_ * slot_bytes());
}

unsigned FiberPool::sets([[maybe_unused]] unsigned threads, [[maybe_unused]] std::uint64_t blocks) {
#if defined(ATROUS_EMULATION_TSAN)
  return static_cast<unsigned>(std::min<std::uint64_t>(blocks, std::max(2U, 1024U / threads)));
#else
  return 1;
#endif
}

void FiberPool::reserve(unsigned count) {
  if (count <= count_) return;
  Unwatched unwatched;
  if (memory_ != nullptr) munmap(memory_, count_ * slot_bytes());
  memory_ = nullptr;
  count_ = 0;
  void* memory = mmap(nullptr, count * slot_bytes(), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) fail(ErrorCode::out_of_memory, "emulation: no memory for {} stacks", count);
  memory_ = static_cast<std::byte*>(memory);
  count_ = count;
  for (unsigned i = 0; i < count; ++i)
    mprotect(memory_ + i * slot_bytes(), slot_bytes() - kStackBytes, PROT_NONE);  // stacks grow down into it
#if defined(ATROUS_EMULATION_TSAN)
  while (identities_.size() < count) identities_.push_back(__tsan_create_fiber(0));
#endif
}

std::byte* FiberPool::stack_bottom(unsigned index) const {
  return memory_ + (index + 1) * slot_bytes() - kStackBytes;
}

void* FiberPool::identity(unsigned index) const { return identities_.empty() ? nullptr : identities_[index]; }

namespace {

thread_local Fiber* entering = nullptr;

void trampoline(context::transfer_t from) { entering->run(from.fctx); }

}  // namespace

void Fiber::create(const FiberPool& pool, unsigned index, Entry entry) {
  entry_ = entry;
  stack_bottom_ = pool.stack_bottom(index);
  identity_ = pool.identity(index);
  own_fake_stack_ = nullptr;
  context_ =
      context::make_fcontext(stack_bottom_ + FiberPool::kStackBytes, FiberPool::kStackBytes, trampoline);
}

void Fiber::resume() {
  entering = this;
#if defined(ATROUS_EMULATION_ASAN)
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, stack_bottom_, FiberPool::kStackBytes);
#endif
#if defined(ATROUS_EMULATION_TSAN)
  scheduler_identity_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(identity_, __tsan_switch_to_fiber_no_sync);
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
  __tsan_switch_to_fiber(scheduler_identity_, __tsan_switch_to_fiber_no_sync);
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
