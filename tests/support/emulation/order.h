// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace atrous::cuda::emulation {

/// In which order blocks run and the fibers of a block are visited; in the two plain ones each warp runs
/// ahead of the next.
struct Order {
  enum class Kind { ascending, descending, shuffled } kind = Kind::shuffled;
  std::uint64_t seed = 1;  ///< of `shuffled`; a launch always starts from it
};

std::string to_string(
    Order order);  ///< "ascending", "descending" or the seed, as ATROUS_EMULATION_ORDER takes it
/// Throws Error{invalid_argument} for anything to_string() does not write.
Order parse_order(const std::string& text);

/// Of launches from now on; at first what ATROUS_EMULATION_ORDER names, else seed 1. Thread-safe.
Order current_order();
void set_order(Order order);

/// The four orders that every kernel should be run in.
std::vector<Order> test_orders();

/// set_order() until the end of the scope.
class ScopedOrder {
 public:
  explicit ScopedOrder(Order order) : before_(current_order()) { set_order(order); }
  ~ScopedOrder() { set_order(before_); }
  ScopedOrder(const ScopedOrder&) = delete;
  ScopedOrder& operator=(const ScopedOrder&) = delete;

 private:
  Order before_;
};

/// Permutations of 0 .. count-1, one after another.
class Visits {
 public:
  Visits(Order order, unsigned count);
  const std::vector<unsigned>& next();

 private:
  Order order_;
  std::uint64_t state_;
  std::vector<unsigned> sequence_;
};

}  // namespace atrous::cuda::emulation
