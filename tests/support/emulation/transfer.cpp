// SPDX-License-Identifier: Apache-2.0
#include "support/emulation/transfer.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "support/emulation/block.h"
#include "support/emulation/sanitizers.h"

namespace atrous::cuda::emulation {
namespace {

/// What an initialised barrier's eight bytes hold, so that something written over them is noticed.
constexpr std::uint64_t kMark = 0x7472616e73666572;

std::uint64_t digest(const std::byte* from, std::size_t bytes) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < bytes; i += sizeof sum) {
    std::uint64_t word = 0;
    std::memcpy(&word, from + i, sizeof word);
    sum = (sum ^ word) * 0x9e3779b97f4a7c15U;
    sum ^= sum >> 29;
  }
  return sum;
}

void advance_if_complete(TransferBarrier& barrier) {
  if (barrier.pending > 0 || barrier.bytes != 0) return;
  ++barrier.phase;
  barrier.pending = barrier.arrivals;
}

}  // namespace

TransferBarrier& TransferBarriers::at(const std::uint64_t* address, const Site& site) {
  for (const auto& barrier : barriers_)
    if (barrier->address == address) {
      if (*address != kMark) kernel_fault("a transfer barrier that was written over", site);
      return *barrier;
    }
  kernel_fault("a transfer barrier that was not initialised", site);
}

void TransferBarriers::add(std::uint64_t* address, unsigned arrivals, const Site& site) {
  check_alignment(address, 8, "transfer barrier", site);
  for (const auto& barrier : barriers_)
    if (barrier->address == address) kernel_fault("a transfer barrier initialised twice", site);
  Unwatched unwatched;
  *address = kMark;
  barriers_.push_back(std::make_unique<TransferBarrier>());
  barriers_.back()->address = address;
  barriers_.back()->arrivals = barriers_.back()->pending = arrivals;
}

void TransferBarriers::remember(const BulkCopy& copy) {
  landed_.push_back({copy.shared, copy.bytes, digest(copy.shared, copy.bytes), clock_});
}

unsigned TransferBarriers::written_over_since(const std::byte* shared) {
  const auto last = std::find_if(landed_.begin(), landed_.end(),
                                 [&](const Landed& landed) { return landed.shared == shared; });
  if (last == landed_.end()) return 0;
  const Landed landed = *last;
  landed_.erase(last);
  return digest(shared, landed.bytes) == landed.digest ? 0 : landed.time;
}

void init_transfer_barrier(std::uint64_t* barrier, unsigned arrivals, const Site& site) {
  require_capability(9, "mbarrier_init", site);
  BlockRunner::current().transfers().add(barrier, arrivals, site);
}

void arrive_at_transfer(std::uint64_t* barrier, int bytes, const Site& site) {
  BlockRunner& runner = BlockRunner::current();
  Unwatched unwatched;
  TransferBarrier& at = runner.transfers().at(barrier, site);
  if (at.pending == 0) kernel_fault("more arrivals at a transfer barrier than it counts", site);
  publish(&at.fence);
  --at.pending;
  at.bytes += bytes;
  advance_if_complete(at);
  runner.wake(at);
}

void check_fenced(const std::byte* shared, const Site& site) {
  BlockRunner& runner = BlockRunner::current();
  Unwatched unwatched;
  const unsigned since = runner.transfers().written_over_since(shared);
  if (since > 0 && !runner.all_fenced_since(since))
    kernel_fault("bulk_copy to shared memory that threads have written, without fence_async by all of them",
                 site);
}

void fence_async_writes(const Site& site) {
  if (is_dropped(site)) return;
  BlockRunner& runner = BlockRunner::current();
  runner.self().fenced = runner.transfers().tick();
}

void push_bulk_copy(std::uint64_t* barrier, const BulkCopy& copy, const Site& site) {
  BlockRunner& runner = BlockRunner::current();
  Unwatched unwatched;
  TransferBarrier& at = runner.transfers().at(barrier, site);
  publish(&at.fence);
  at.copies.push_back(copy);
  runner.wake(at);
}

std::span<const BulkCopy> await_transfer(std::uint64_t* barrier, unsigned parity, const Site& site) {
  BlockRunner& runner = BlockRunner::current();
  if (is_dropped(site)) return {};
  TransferBarrier& at = runner.transfers().at(barrier, site);
  while (at.phase % 2 == parity) {
    if (!at.copies.empty()) {
      observe(&at.fence);
      Unwatched unwatched;
      at.landing = std::move(at.copies);
      at.copies.clear();
      return at.landing;
    }
    runner.wait_for_transfer(at, site);
  }
  observe(&at.fence);
  return {};
}

void land_bulk_copies(std::uint64_t* barrier, const Site& site) {
  BlockRunner& runner = BlockRunner::current();
  Unwatched unwatched;
  TransferBarrier& at = runner.transfers().at(barrier, site);
  publish(&at.fence);
  for (const BulkCopy& copy : at.landing) {
    at.bytes -= static_cast<std::int64_t>(copy.bytes);
    runner.transfers().remember(copy);
  }
  at.landing.clear();
  advance_if_complete(at);
  runner.wake(at);
}

void push_product(const WarpgroupProduct& product) { BlockRunner::current().self().products.push(product); }
void commit_products() { BlockRunner::current().self().products.commit(); }
std::span<const WarpgroupProduct> due_products(int keep) {
  return BlockRunner::current().self().products.due(keep);
}

}  // namespace atrous::cuda::emulation
