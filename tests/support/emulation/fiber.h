// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace atrous::cuda::emulation {

/// Stacks for fibers, with a page between them that faults, and what the thread sanitizer takes for the
/// thread on each. To make one of those takes a millisecond, so they are kept.
class FiberPool {
 public:
  FiberPool() = default;
  FiberPool(const FiberPool&) = delete;
  FiberPool& operator=(const FiberPool&) = delete;
  ~FiberPool();

  static constexpr std::size_t kStackBytes = 256 * 1024;
  /// How many blocks of `threads` threads should have fibers of their own before those of the first are used
  /// again, so that the thread sanitizer does not take what one thread did in both for ordered.
  static unsigned sets(unsigned threads, std::uint64_t blocks);
  void reserve(unsigned count);  ///< while no fiber is in use
  std::byte* stack_bottom(unsigned index) const;
  void* identity(unsigned index) const;  ///< for the thread sanitizer; else null

 private:
  std::byte* memory_ = nullptr;
  std::size_t count_ = 0;
  std::vector<void*> identities_;
};

/// A stack of execution that the scheduler enters and that goes back to it. The thread sanitizer sees each as
/// a thread of its own, created by the scheduler and ordered after that by nothing but the fences of
/// sanitizers.h.
class Fiber {
 public:
  using Entry = void (*)();
  /// `entry` runs at the first resume(); when it returns the fiber is done.
  void create(const FiberPool& pool, unsigned index, Entry entry);
  void resume();              ///< by the scheduler
  void suspend();             ///< by the fiber
  void run(void* scheduler);  ///< the body of a new fiber: for the layer's own trampoline

 private:
  void leave(bool for_good);

  void* context_ = nullptr;
  void* scheduler_ = nullptr;
  Entry entry_ = nullptr;
  std::byte* stack_bottom_ = nullptr;
  [[maybe_unused]] void* own_fake_stack_ = nullptr;
  [[maybe_unused]] const void* scheduler_bottom_ = nullptr;
  [[maybe_unused]] std::size_t scheduler_size_ = 0;
  void* identity_ = nullptr;
  [[maybe_unused]] void* scheduler_identity_ = nullptr;
};

}  // namespace atrous::cuda::emulation
