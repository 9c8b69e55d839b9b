// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/large_vector.h"
#include "refine/lattice_key.h"

namespace atrous {

/// Keys -> vertex numbers in order of first appearance; open addressing.
class VertexTable {
 public:
  explicit VertexTable(std::int64_t expected) {
    std::size_t capacity = 1024;
    while (capacity < 2 * static_cast<std::size_t>(expected)) capacity *= 2;
    slots_.assign(capacity, -1);
  }

  /// The vertex, or -1.
  std::int32_t find(const LatticeKey& key) const { return slots_[slot_of(key)]; }

  std::int32_t insert(const LatticeKey& key) {
    std::int32_t& number = slots_[slot_of(key)];
    if (number >= 0) return number;
    const auto fresh = static_cast<std::int32_t>(keys_.size());
    number = fresh;
    keys_.push_back(key);
    if (2 * keys_.size() > slots_.size()) grow();
    return fresh;
  }

  /// For a key that is looked up some steps later, in a table larger than the caches.
  void prefetch(const LatticeKey& key) const { __builtin_prefetch(&slots_[first_slot(key)]); }

  const LargeVector<LatticeKey>& keys() const { return keys_; }
  LargeVector<LatticeKey> take_keys() && { return std::move(keys_); }
  std::int64_t size() const { return static_cast<std::int64_t>(keys_.size()); }

 private:
  std::size_t first_slot(const LatticeKey& key) const {
    const std::uint64_t hash = (key.low * 0x9E3779B97F4A7C15ULL ^ key.high) * 0xD6E8FEB86659FD93ULL;
    return (hash >> 32U) & (slots_.size() - 1);
  }
  std::size_t slot_of(const LatticeKey& key) const {
    std::size_t slot = first_slot(key);
    while (slots_[slot] >= 0 && keys_[static_cast<std::size_t>(slots_[slot])] != key)
      slot = (slot + 1) & (slots_.size() - 1);
    return slot;
  }

  void grow() {
    slots_.assign(slots_.size() * 2, -1);
    for (std::size_t number = 0; number < keys_.size(); ++number)
      slots_[slot_of(keys_[number])] = static_cast<std::int32_t>(number);
  }

  LargeVector<std::int32_t> slots_;
  LargeVector<LatticeKey> keys_;
};

}  // namespace atrous
