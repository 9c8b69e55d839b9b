// SPDX-License-Identifier: Apache-2.0
#include "core/buffer.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

#include "core/error.h"

namespace atrous {
namespace {

constexpr std::align_val_t kAlignment{64};

/// Whole huge pages of a large buffer: matrix products walk through it with fewer misses of the translation
/// buffer. Where the system does not want them nothing changes.
void ask_for_huge_pages(std::byte* p, std::size_t bytes) {
  constexpr std::uintptr_t kHugePage = 2 << 20;
  const auto begin = (reinterpret_cast<std::uintptr_t>(p) + kHugePage - 1) / kHugePage * kHugePage,
             end = (reinterpret_cast<std::uintptr_t>(p) + bytes) / kHugePage * kHugePage;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}

}  // namespace

Buffer::Buffer(std::size_t bytes) : size_(bytes) {
  if (bytes == 0) return;
  auto* p = static_cast<std::byte*>(::operator new[](bytes, kAlignment, std::nothrow));
  if (p == nullptr) fail(ErrorCode::out_of_memory, "cannot allocate {} bytes", bytes);
  ask_for_huge_pages(p, bytes);
  data_.reset(p);
}

void Buffer::Free::operator()(std::byte* p) const { ::operator delete[](p, kAlignment); }

}  // namespace atrous
