// SPDX-License-Identifier: Apache-2.0
#include "core/digest.h"

#include <fmt/format.h>

#include <cstring>

namespace atrous {

void Digest::mix(std::uint64_t word) {  // each step is one to one, so a changed word always changes the state
  state_ = (state_ ^ word) * 0xD6E8FEB86659FD93ULL;
  state_ ^= state_ >> 32U;
}

void Digest::add(std::span<const std::byte> bytes) {
  mix(bytes.size());
  while (!bytes.empty()) {
    std::uint64_t word = 0;
    const std::size_t size = std::min(bytes.size(), sizeof word);
    std::memcpy(&word, bytes.data(), size);
    mix(word);
    bytes = bytes.subspan(size);
  }
}

std::string Digest::text() const { return fmt::format("{:016x}", state_); }

}  // namespace atrous
