// SPDX-License-Identifier: Apache-2.0
#include "support/emulation/block.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>

#include "core/error.h"
#include "support/emulation/sanitizers.h"

namespace atrous::cuda::emulation {
namespace {

constexpr std::size_t kStaticLimit = 48 * 1024;

/// Unwinds a thread whose block has failed elsewhere.
struct Cancelled {};

thread_local BlockRunner* running = nullptr;
FiberPool pool;  // one grid at a time

bool same_place(const Site& a, const Site& b) {
  return a.line() == b.line() && a.column() == b.column() &&
         (a.file_name() == b.file_name() || std::strcmp(a.file_name(), b.file_name()) == 0);
}

std::string at(const Site& site) { return fmt::format("{}:{}", site.file_name(), site.line()); }

std::string to_text(const ThreadView::Index& i) { return fmt::format("({}, {}, {})", i.x, i.y, i.z); }

}  // namespace

bool is_dropped(const Site& site) {
  static const std::string kDropped = [] {
    const char* text = std::getenv("ATROUS_EMULATION_DROP");
    return std::string(text == nullptr ? "" : text);
  }();
  if (kDropped.empty()) return false;
  const std::size_t colon = kDropped.rfind(':');
  return kDropped.compare(colon + 1, std::string::npos, std::to_string(site.line())) == 0 &&
         std::string_view(site.file_name()).ends_with(std::string_view(kDropped).substr(0, colon));
}

SharedMemory::SharedMemory(std::size_t bytes) {
  Unwatched unwatched;
  if (posix_memalign(&data_, 16, bytes) != 0) throw std::bad_alloc();
  std::memset(data_, 0xff, bytes);
}

SharedMemory::~SharedMemory() {
  Unwatched unwatched;
  std::free(data_);
}

BlockRunner::BlockRunner(const LaunchConfig& config, const std::function<void()>& kernel, Order order)
    : config_(config), kernel_(kernel), order_(order) {
  const auto& [x, y, z] = config.block;
  threads_.resize(std::size_t{x} * y * z);
  warps_.resize((threads_.size() + 31) / 32);
  static_shared_.reserve(16);
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    const auto index = static_cast<unsigned>(i);
    threads_[i].view = {{index % x, index / x % y, index / x / y},
                        {},
                        config.block,
                        config.grid,
                        static_cast<int>(index % 32)};
    threads_[i].warp = index / 32;
  }
  for (std::size_t w = 0; w < warps_.size(); ++w) warps_[w].first_thread = static_cast<unsigned>(32 * w);
  const auto count = static_cast<unsigned>(threads_.size());
  fiber_sets_ = FiberPool::sets(count, std::uint64_t{config.grid.x} * config.grid.y * config.grid.z);
  pool.reserve(fiber_sets_ * count);
  running = this;
  publish(&launch_fence_);
}

BlockRunner::~BlockRunner() {
  observe(&end_fence_);
  running = nullptr;
}

BlockRunner& BlockRunner::current() {
  if (running == nullptr || running->self_ == nullptr)
    fail(ErrorCode::internal, "emulation: a device function was called outside a kernel");
  return *running;
}

void BlockRunner::run(ThreadView::Index block) {
  start_block(block);
  Visits visits(order_, static_cast<unsigned>(threads_.size()));
  run_until_done(visits);
  if (fault_ != nullptr) {
    cancelled_ = true;
    for (Thread& thread : threads_)
      if (thread.state != ThreadState::fresh && thread.state != ThreadState::returned) resume(thread);
  }
  finish_block();
  if (fault_ != nullptr) std::rethrow_exception(fault_);
}

void BlockRunner::start_block(ThreadView::Index block) {
  const auto count = static_cast<unsigned>(threads_.size());
  dynamic_shared_ = std::make_unique<SharedMemory>(config_.shared_bytes);
  const unsigned first_fiber = blocks_started_++ % fiber_sets_ * count;
  Unwatched unwatched;
  fences_ = std::make_unique<char[]>(2 * (1 + warps_.size()));
  char* fences = fences_.get();
  barrier_.live = count;
  barrier_.arrived = 0;
  barrier_.fences = fences;
  returned_ = 0;
  for (Warp& warp : warps_) {
    warp.barrier.fences = fences += 2;
    const unsigned lanes = std::min(32U, count - warp.first_thread);
    warp.live = lanes == 32 ? 0xffffffffU : (1U << lanes) - 1;
    warp.barrier.live = lanes;
    warp.barrier.arrived = 0;
  }
  for (unsigned i = 0; i < count; ++i) {
    Thread& thread = threads_[i];
    thread.view.block = block;
    thread.state = ThreadState::fresh;
    thread.fenced = 0;
    thread.copies.clear();
    thread.products.clear();
    thread.fiber.create(pool, first_fiber + i, thread_main);
  }
}

void BlockRunner::finish_block() {
  dynamic_shared_.reset();
  static_shared_.clear();
  static_bytes_ = 0;
  Unwatched unwatched;
  transfers_.clear();
  fences_.reset();
}

void BlockRunner::run_until_done(Visits& visits) {
  while (returned_ < threads_.size()) {
    bool progress = false;
    for (unsigned i : visits.next()) {
      progress |= run_thread_on(threads_[i]);
      while (runs_ahead() && run_warp_on(warps_[threads_[i].warp])) progress = true;
      if (fault_ != nullptr) return;
    }
    if (!progress) return report_deadlock();
  }
}

/// In some orders a warp goes on as far as barriers of the block let it before another one starts; in the
/// others warps keep pace.
bool BlockRunner::runs_ahead() const { return fault_ == nullptr && order_.kind != Order::Kind::shuffled; }

bool BlockRunner::run_warp_on(const Warp& warp) {
  bool progress = false;
  const std::size_t first = warp.first_thread, count = std::min<std::size_t>(32, threads_.size() - first);
  for (std::size_t i = 0; i < count; ++i)
    progress |= run_thread_on(threads_[first + (order_.kind == Order::Kind::ascending ? i : count - 1 - i)]);
  return progress;
}

/// False where the thread waits, has returned, or one of the block has failed.
bool BlockRunner::run_thread_on(Thread& thread) {
  const bool can = thread.state == ThreadState::fresh || thread.state == ThreadState::runnable;
  if (!can || fault_ != nullptr) return false;
  resume(thread);
  return true;
}

void BlockRunner::resume(Thread& thread) {
  self_ = &thread;
  thread.fiber.resume();
  self_ = nullptr;
}

void BlockRunner::thread_main() { running->run_thread(); }

void BlockRunner::run_thread() {
  Thread& thread = *self_;
  thread.state = ThreadState::runnable;
  observe(&launch_fence_);
  try {
    kernel_();
    leave(thread);
  } catch (const Cancelled&) {
  } catch (const Error& error) {
    fault_ = std::make_exception_ptr(
        Error(error.code(), fmt::format("{}: {}", describe(thread), error.message())));
  } catch (...) {
    fault_ = std::current_exception();
  }
  thread.state = ThreadState::returned;
  ++returned_;
  publish(&end_fence_);
}

/// A thread that returns no longer counts, and may be the one that others wait for.
void BlockRunner::leave(Thread& thread) {
  Warp& warp = warps_[thread.warp];
  warp.live &= ~(1U << static_cast<unsigned>(thread.view.lane));
  --warp.barrier.live;
  if (warp.barrier.arrived > 0 && warp.barrier.arrived == warp.barrier.live) open_warp(warp);
  --barrier_.live;
  if (barrier_.arrived > 0 && barrier_.arrived == barrier_.live) open_block();
}

void BlockRunner::arrive(Barrier& barrier, const Collective* operation, const Site& site) {
  if (barrier.arrived == 0) {
    barrier.site = site;
    barrier.operation = operation;
  } else if (barrier.operation != operation || !same_place(barrier.site, site)) {
    auto name = [](const Collective* of) { return of == nullptr ? "sync_block" : of->name; };
    fail(ErrorCode::internal, "divergent barrier: {} at {} while other threads wait at {} at {}; {}",
         name(operation), at(site), name(barrier.operation), at(barrier.site), states());
  }
  ++barrier.arrived;
}

void BlockRunner::wait(Thread& thread, Barrier& barrier, ThreadState state, const Site& site) {
  thread.state = state;
  thread.site = site;
  const unsigned generation = barrier.generation;
  while (barrier.generation == generation) {
    thread.fiber.suspend();
    if (cancelled_) throw Cancelled();
  }
}

void BlockRunner::wait_for_block(const Site& site) {
  if (is_dropped(site)) return;
  Thread& thread = self();
  arrive(barrier_, nullptr, site);
  char* fence = &barrier_.fences[barrier_.generation % 2];
  publish(fence);
  if (barrier_.arrived == barrier_.live)
    open_block();
  else
    wait(thread, barrier_, ThreadState::at_block_barrier, site);
  observe(fence);
}

void BlockRunner::open_block() {
  barrier_.arrived = 0;
  ++barrier_.generation;
  for (Thread& thread : threads_)
    if (thread.state == ThreadState::at_block_barrier) thread.state = ThreadState::runnable;
}

void BlockRunner::wait_for_transfer(const TransferBarrier& barrier, const Site& site) {
  Thread& thread = self();
  thread.state = ThreadState::at_transfer_barrier;
  thread.site = site;
  thread.transfer = &barrier;
  while (thread.state == ThreadState::at_transfer_barrier) {
    thread.fiber.suspend();
    if (cancelled_) throw Cancelled();
  }
}

bool BlockRunner::all_fenced_since(unsigned time) const {
  return std::all_of(threads_.begin(), threads_.end(), [&](const Thread& thread) {
    return thread.state == ThreadState::returned || thread.fenced > time;
  });
}

void BlockRunner::wake(const TransferBarrier& barrier) {
  for (Thread& thread : threads_)
    if (thread.state == ThreadState::at_transfer_barrier && thread.transfer == &barrier)
      thread.state = ThreadState::runnable;
}

LaneValues BlockRunner::wait_for_warp(const Collective& operation, const LaneValues& values,
                                      const Site& site) {
  Thread& thread = self();
  Warp& warp = warps_[thread.warp];
  Barrier& barrier = warp.barrier;
  arrive(barrier, &operation, site);
  const auto lane = static_cast<std::size_t>(thread.view.lane);
  warp.lanes[lane] = values;
  char* fence = &barrier.fences[barrier.generation % 2];
  if (operation.orders_memory) publish(fence);
  if (barrier.arrived == barrier.live)
    open_warp(warp);
  else
    wait(thread, barrier, ThreadState::at_warp_operation, site);
  if (operation.orders_memory) observe(fence);
  return warp.lanes[lane];
}

void BlockRunner::open_warp(Warp& warp) {
  if (warp.barrier.operation->finish != nullptr) warp.barrier.operation->finish(warp.lanes, warp.live);
  warp.barrier.arrived = 0;
  ++warp.barrier.generation;
  const std::size_t end = std::min(threads_.size(), std::size_t{warp.first_thread} + 32);
  for (std::size_t i = warp.first_thread; i < end; ++i)
    if (threads_[i].state == ThreadState::at_warp_operation) threads_[i].state = ThreadState::runnable;
}

void* BlockRunner::static_shared(const void* tag, std::size_t bytes) {
  for (const StaticArray& array : static_shared_)
    if (array.tag == tag) return array.memory->data();
  static_bytes_ += bytes;
  if (static_bytes_ > kStaticLimit)
    fail(ErrorCode::internal, "{} bytes of static shared memory; a block can have {}", static_bytes_,
         kStaticLimit);
  Unwatched unwatched;
  static_shared_.push_back({tag, std::make_unique<SharedMemory>(bytes)});
  return static_shared_.back().memory->data();
}

void BlockRunner::report_deadlock() {
  fault_ =
      std::make_exception_ptr(Error(ErrorCode::internal, fmt::format("{}: deadlock, no thread can go on; {}",
                                                                     describe(threads_[0]), states())));
}

std::string BlockRunner::describe(const Thread& thread) const {
  return fmt::format("kernel launched at {} ({}), block {}, thread {}, order {}", at(config_.site),
                     config_.site.function_name(), to_text(thread.view.block), to_text(thread.view.thread),
                     to_string(order_));
}

std::string BlockRunner::states() const {
  std::map<std::string, std::pair<unsigned, std::string>> counts;  // state -> how many, the first of them
  for (const Thread& thread : threads_) {
    std::string state;
    switch (thread.state) {
      case ThreadState::fresh:
        state = "not started";
        break;
      case ThreadState::runnable:
        state = "running";
        break;
      case ThreadState::at_block_barrier:
        state = "in sync_block at " + at(thread.site);
        break;
      case ThreadState::at_warp_operation:
        state = fmt::format("in {} at {}", warps_[thread.warp].barrier.operation->name, at(thread.site));
        break;
      case ThreadState::at_transfer_barrier:
        state = "in mbarrier_wait at " + at(thread.site);
        break;
      case ThreadState::returned:
        state = "returned";
        break;
    }
    auto& [count, first] = counts[state];
    if (count++ == 0) first = to_text(thread.view.thread);
  }
  std::string text = "threads:";
  for (const auto& [state, who] : counts)
    text += fmt::format(" {} {} (first {});", who.first, state, who.second);
  text.pop_back();
  return text;
}

}  // namespace atrous::cuda::emulation
