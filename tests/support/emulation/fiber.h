// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace atrous::cuda::emulation {

/// Stacks of the fibers of one block, with a page between them that faults.
class StackArena {
 public:
  StackArena() = default;
  StackArena(const StackArena&) = delete;
  StackArena& operator=(const StackArena&) = delete;
  ~StackArena();

  static constexpr std::size_t kStackBytes = 256 * 1024;
  /// Makes room for `count` stacks that no fiber has used, as far as the thread sanitizer can tell.
  void prepare(unsigned count);
  std::byte* bottom(unsigned index) const;

 private:
  std::byte* memory_ = nullptr;
  unsigned count_ = 0;
};

/// A stack of execution that the scheduler enters and that goes back to it. The thread sanitizer sees each as
/// a thread of its own, created by the scheduler and ordered after that by nothing but the fences of
/// sanitizers.h.
class Fiber {
 public:
  using Entry = void (*)();
  /// `entry` runs at the first resume(); when it returns the fiber is done.
  void create(std::byte* stack_bottom, Entry entry);
  void destroy();             ///< after `entry` has returned
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
  [[maybe_unused]] void* tsan_ = nullptr;
  [[maybe_unused]] void* scheduler_tsan_ = nullptr;
};

}  // namespace atrous::cuda::emulation
