// SPDX-License-Identifier: Apache-2.0
#include "support/emulation/transfer.h"

#include "core/error.h"
#include "support/emulation/block.h"
#include "support/emulation/sanitizers.h"

namespace atrous::cuda::emulation {
namespace {

/// What an initialised barrier's eight bytes hold, so that something written over them is noticed.
constexpr std::uint64_t kMark = 0x7472616e73666572;

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
  for (const BulkCopy& copy : at.landing) at.bytes -= static_cast<std::int64_t>(copy.bytes);
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
