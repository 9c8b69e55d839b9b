// SPDX-License-Identifier: Apache-2.0
#include "support/emulation/execution.h"

#include <cstdlib>
#include <mutex>

#include "core/error.h"
#include "support/emulation/block.h"

namespace atrous::cuda::emulation {
namespace {

std::mutex grid_mutex;

}  // namespace

void check_launch(const LaunchConfig& config) {
  const auto& [grid, block, shared_bytes, site] = config;
  const std::uint64_t threads = std::uint64_t{block.x} * block.y * block.z;
  const bool grid_fits = grid.x >= 1 && grid.x <= 0x7fffffffU && grid.y >= 1 && grid.y <= 65535 &&
                         grid.z >= 1 && grid.z <= 65535;
  const bool block_fits =
      threads >= 1 && threads <= 1024 && block.x <= 1024 && block.y <= 1024 && block.z <= 64;
  if (!grid_fits || !block_fits || shared_bytes > shared_memory_limit())
    fail(ErrorCode::internal,
         "launch at {}:{}: no device runs a grid of {} x {} x {} blocks of {} x {} x {} threads with {} "
         "bytes of shared "
         "memory",
         site.file_name(), site.line(), grid.x, grid.y, grid.z, block.x, block.y, block.z, shared_bytes);
}

void run_grid(const LaunchConfig& config, const std::function<void()>& thread) {
  std::lock_guard lock(grid_mutex);
  const Order order = current_order();
  const auto& [x, y, z] = config.grid;
  BlockRunner runner(config, thread, order);
  Visits visits(order, x * y * z);
  for (unsigned i : visits.next()) runner.run({i % x, i / x % y, i / x / y});
}

const ThreadView& this_thread() { return BlockRunner::current().self().view; }

LaneValues collective(const Collective& operation, const LaneValues& values, const Site& site) {
  return BlockRunner::current().wait_for_warp(operation, values, site);
}

void block_barrier(const Site& site) { BlockRunner::current().wait_for_block(site); }

void* static_shared(const void* tag, std::size_t bytes) {
  return BlockRunner::current().static_shared(tag, bytes);
}

void* dynamic_shared() { return BlockRunner::current().dynamic_shared(); }

void kernel_fault(const std::string& what, const Site& site) {
  fail(ErrorCode::internal, "{} at {}:{} ({})", what, site.file_name(), site.line(), site.function_name());
}

void check_alignment(const void* address, std::size_t bytes, const char* what, const Site& site) {
  if (reinterpret_cast<std::uintptr_t>(address) % bytes != 0)
    kernel_fault(
        fmt::format("misaligned {}: address {} is no multiple of {}", what, fmt::ptr(address), bytes), site);
}

void require_capability(int major, const char* what, const Site& site) {
  if (capability().major < major)
    kernel_fault(fmt::format("{} needs compute capability {}.0, the device has {}.{}", what, major,
                             capability().major, capability().minor),
                 site);
}

void push_async_copy(const AsyncCopy& copy) { BlockRunner::current().self().copies.push(copy); }
void commit_async_copies() { BlockRunner::current().self().copies.commit(); }
std::span<const AsyncCopy> due_async_copies(int keep) {
  return BlockRunner::current().self().copies.due(keep);
}

}  // namespace atrous::cuda::emulation
