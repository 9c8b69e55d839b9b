// SPDX-License-Identifier: Apache-2.0
#include "core/digest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>

namespace atrous {

namespace {

std::uint64_t mixed(std::uint64_t state, std::uint64_t word) {  // each step is one to one, so a changed word
  state = (state ^ word) * 0xD6E8FEB86659FD93ULL;               // always changes the state
  return state ^ state >> 32U;
}

}  // namespace

void Digest::mix(std::uint64_t word) { state_ = mixed(state_, word); }

/// Lanes that wait for no other one, for weights, which are long; returns the rest.
std::span<const std::byte> Digest::add_lanes(std::span<const std::byte> bytes) {
  std::uint64_t lanes[8], words[8];
  std::fill(std::begin(lanes), std::end(lanes), state_);
  for (; bytes.size() >= sizeof words; bytes = bytes.subspan(sizeof words)) {
    std::memcpy(words, bytes.data(), sizeof words);
    for (std::size_t i = 0; i < std::size(lanes); ++i) lanes[i] = mixed(lanes[i], words[i]);
  }
  for (std::uint64_t lane : lanes) mix(lane);
  return bytes;
}

void Digest::add(std::span<const std::byte> bytes) {
  constexpr std::size_t kLong = 256;
  mix(bytes.size());
  if (bytes.size() >= kLong) bytes = add_lanes(bytes);
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
