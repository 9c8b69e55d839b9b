// SPDX-License-Identifier: Apache-2.0
#include "support/emulation/memory.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "core/error.h"
#include "support/emulation/memory_check.h"

namespace atrous::cuda::emulation {
namespace {

constexpr std::size_t kAlignment = 256;
/// Around an allocation lie bytes that read as NaN and that nothing may write. The address sanitizer does
/// better without.
#if defined(ATROUS_EMULATION_ASAN)
constexpr std::size_t kGuard = 0;
#else
constexpr std::size_t kGuard = kAlignment;
#endif

struct Allocation {
  std::size_t bytes = 0;
  bool device = false;
};

std::mutex mutex;
std::map<const std::byte*, Allocation> allocations;

bool intact(const std::byte* data, std::size_t bytes) {
  for (std::size_t i = 0; i < kGuard; ++i)
    if (*(data - kGuard + i) != std::byte{0xff} || data[bytes + i] != std::byte{0xff}) return false;
  return true;
}

}  // namespace

void* acquire(std::size_t bytes, bool device) {
  if (bytes == 0) return nullptr;
  void* memory = nullptr;
  if (posix_memalign(&memory, kAlignment, bytes + 2 * kGuard) != 0)
    fail(ErrorCode::out_of_memory, "emulation: no memory for {} bytes", bytes);
  std::memset(memory, 0xff, bytes + 2 * kGuard);
  std::byte* data = static_cast<std::byte*>(memory) + kGuard;
  std::lock_guard lock(mutex);
  allocations[data] = {bytes, device};
  return data;
}

void give_back(void* memory, bool device) noexcept {
  if (memory == nullptr) return;
  {
    std::lock_guard lock(mutex);
    auto found = allocations.find(static_cast<std::byte*>(memory));
    if (found == allocations.end() || found->second.device != device) {
      std::fputs("emulation: released memory that was not allocated or was released before\n", stderr);
      std::abort();
    }
    if (!intact(found->first, found->second.bytes)) {
      std::fputs("emulation: something wrote outside the memory that is released\n", stderr);
      std::abort();
    }
    allocations.erase(found);
  }
  std::free(static_cast<std::byte*>(memory) - kGuard);
}

void check_device_range(const void* address, std::size_t bytes, const char* doing) {
  if (bytes == 0) return;
  std::lock_guard lock(mutex);
  const auto* begin = static_cast<const std::byte*>(address);
  auto next = allocations.upper_bound(begin);
  if (next != allocations.begin()) {
    const auto& [start, allocation] = *std::prev(next);
    const auto offset = static_cast<std::size_t>(begin - start);
    if (allocation.device && offset <= allocation.bytes && bytes <= allocation.bytes - offset) return;
  }
  fail(ErrorCode::internal, "{}: {} bytes at {} are not within device memory", doing, bytes, address);
}

void check_guards() {
  std::lock_guard lock(mutex);
  for (const auto& [data, allocation] : allocations)
    if (!intact(data, allocation.bytes))
      fail(ErrorCode::internal, "emulation: something wrote outside an allocation of {} bytes",
           allocation.bytes);
}

std::size_t live_bytes() {
  std::lock_guard lock(mutex);
  std::size_t sum = 0;
  for (const auto& [data, allocation] : allocations) sum += allocation.bytes;
  return sum;
}

std::size_t live_allocations() {
  std::lock_guard lock(mutex);
  return allocations.size();
}

}  // namespace atrous::cuda::emulation
