// SPDX-License-Identifier: Apache-2.0
#include "core/buffer.h"

#include <new>

#include "core/error.h"

namespace atrous {
namespace {
constexpr std::align_val_t kAlignment{64};
}

Buffer::Buffer(std::size_t bytes) : size_(bytes) {
  if (bytes == 0) return;
  auto* p = static_cast<std::byte*>(::operator new[](bytes, kAlignment, std::nothrow));
  if (p == nullptr) fail(ErrorCode::out_of_memory, "cannot allocate {} bytes", bytes);
  data_.reset(p);
}

void Buffer::Free::operator()(std::byte* p) const { ::operator delete[](p, kAlignment); }

}  // namespace atrous
