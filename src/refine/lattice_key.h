// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace atrous {

/// The first d <= 5 coordinates of a lattice vertex, 21 bits each, in two words; coordinates add and subtract
/// word by word, as no field overflows while they stay within +-2^20.
struct LatticeKey {
  static constexpr int kBits = 21;

  std::uint64_t low = 0, high = 0;

  /// `value` at coordinate i.
  static constexpr LatticeKey unit(int i, std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    return i < 3 ? LatticeKey{bits << (kBits * i), 0} : LatticeKey{0, bits << (kBits * (i - 3))};
  }
  /// What makes every field positive.
  static constexpr LatticeKey bias(int d) {
    LatticeKey key;
    for (int i = 0; i < d; ++i) key += unit(i, std::int64_t{1} << (kBits - 1));
    return key;
  }
  /// From a vertex to the next along each axis: +1 at every coordinate but -d at the axis's own.
  static constexpr LatticeKey step(int d, int axis) {
    LatticeKey key;
    for (int i = 0; i < d; ++i) key += unit(i, i == axis ? -d : 1);
    return key;
  }

  constexpr LatticeKey& operator+=(const LatticeKey& other) {
    low += other.low, high += other.high;
    return *this;
  }
  friend constexpr LatticeKey operator+(LatticeKey a, const LatticeKey& b) { return a += b; }
  friend constexpr bool operator==(const LatticeKey&, const LatticeKey&) = default;
};

}  // namespace atrous
