// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <exception>
#include <memory>
#include <vector>

#include "support/emulation/execution.h"
#include "support/emulation/fiber.h"
#include "support/emulation/groups.h"
#include "support/emulation/order.h"
#include "support/emulation/transfer.h"

namespace atrous::cuda::emulation {

/// Meeting point of all live threads of a block or warp: the last one to arrive, or to return, opens it.
struct Barrier {
  unsigned live = 0, arrived = 0;
  unsigned generation = 0;  ///< the fence alternates, for a fast thread may be at the next barrier already
  const Collective* operation = nullptr;  ///< of a warp; null for the block's barrier
  Site site;
  char* fences = nullptr;  ///< two, alternating
};

struct Warp {
  Barrier barrier;
  std::uint32_t live = 0;  ///< a bit per lane
  std::array<LaneValues, 32> lanes{};
  unsigned first_thread = 0;
};

/// Whether threads run through this barrier or fence: ATROUS_EMULATION_DROP names one by the end of its file
/// and line, as in "kernels/photo.cu:71", for tests of the tests.
bool is_dropped(const Site& site);

/// An mbarrier in shared memory: a phase ends when all have arrived and all bytes that it expects are there.
struct TransferBarrier {
  const std::uint64_t* address = nullptr;
  unsigned arrivals = 0, pending = 0, phase = 0;
  std::int64_t bytes = 0;
  std::vector<BulkCopy> copies, landing;
  char fence = 0;
};
/// A block's, and what bulk copies have left in its shared memory.
class TransferBarriers {
 public:
  void add(std::uint64_t* address, unsigned arrivals, const Site& site);
  TransferBarrier& at(const std::uint64_t* address, const Site& site);
  void clear() {
    barriers_.clear();
    landed_.clear();
  }

  unsigned tick() { return ++clock_; }
  void remember(const BulkCopy& copy);  ///< that has come
  /// Forgets the last copy to this address. When it came, if something else lies there now; else 0.
  unsigned written_over_since(const std::byte* shared);

 private:
  struct Landed {
    const std::byte* shared;
    std::size_t bytes;
    std::uint64_t digest;
    unsigned time;
  };
  std::vector<std::unique_ptr<TransferBarrier>> barriers_;
  std::vector<Landed> landed_;
  unsigned clock_ = 1;
};

enum class ThreadState {
  fresh,
  runnable,
  at_block_barrier,
  at_warp_operation,
  at_transfer_barrier,
  returned
};

struct Thread {
  ThreadView view;
  Fiber fiber;
  ThreadState state = ThreadState::fresh;
  Site site;  ///< where it waits
  std::uint32_t warp = 0;
  const TransferBarrier* transfer = nullptr;  ///< where it waits, if at one
  unsigned fenced = 0;                        ///< tick of its last fence_async()
  Groups<AsyncCopy> copies;                   ///< of cp.async
  Groups<WarpgroupProduct> products;
};

/// Memory of exactly `bytes`, 16-byte aligned, filled with NaN; the address sanitizer sees what goes past it.
class SharedMemory {
 public:
  explicit SharedMemory(std::size_t bytes);
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  void* data() const { return data_; }

 private:
  void* data_ = nullptr;
};

/// One block at a time of one launch, on the calling thread.
class BlockRunner {
 public:
  BlockRunner(const LaunchConfig& config, const std::function<void()>& kernel, Order order);
  ~BlockRunner();
  BlockRunner(const BlockRunner&) = delete;
  BlockRunner& operator=(const BlockRunner&) = delete;

  /// Throws the first fault of a thread, after every other thread of the block has been unwound.
  void run(ThreadView::Index block);

  static BlockRunner& current();  ///< of the kernel that runs on this thread
  Thread& self() { return *self_; }
  void wait_for_block(const Site& site);
  LaneValues wait_for_warp(const Collective& operation, const LaneValues& values, const Site& site);
  TransferBarriers& transfers() { return transfers_; }
  bool all_fenced_since(unsigned time) const;  ///< all threads that have not returned
  void wait_for_transfer(const TransferBarrier& barrier,
                         const Site& site);  ///< until something happens there
  void wake(const TransferBarrier& barrier);
  void* static_shared(const void* tag, std::size_t bytes);
  void* dynamic_shared() const { return dynamic_shared_->data(); }

 private:
  static void thread_main();
  void run_thread();
  void start_block(ThreadView::Index block);
  void finish_block();
  void run_until_done(Visits& visits);
  bool runs_ahead() const;
  bool run_warp_on(const Warp& warp);
  bool run_thread_on(Thread& thread);
  void resume(Thread& thread);
  void wait(Thread& thread, Barrier& barrier, ThreadState state, const Site& site);
  void arrive(Barrier& barrier, const Collective* operation, const Site& site);
  void open_block();
  void open_warp(Warp& warp);
  void leave(Thread& thread);
  void report_deadlock();
  std::string describe(const Thread& thread) const;
  std::string states() const;

  struct StaticArray {
    const void* tag;
    std::unique_ptr<SharedMemory> memory;
  };

  const LaunchConfig& config_;
  const std::function<void()>& kernel_;
  Order order_;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  Barrier barrier_;
  Thread* self_ = nullptr;
  unsigned returned_ = 0;
  bool cancelled_ = false;
  std::exception_ptr fault_;
  std::unique_ptr<SharedMemory> dynamic_shared_;
  std::vector<StaticArray> static_shared_;
  TransferBarriers transfers_;
  std::size_t static_bytes_ = 0;
  unsigned fiber_sets_ = 1;  ///< blocks that run one after another take turns with them
  unsigned blocks_started_ = 0;
  std::unique_ptr<char[]> fences_;  ///< of this block, so that they do not order it after the one before
  char launch_fence_ = 0, end_fence_ = 0;
};

}  // namespace atrous::cuda::emulation
