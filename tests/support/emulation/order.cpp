// SPDX-License-Identifier: Apache-2.0
#include "support/emulation/order.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <mutex>
#include <numeric>
#include <utility>

#include "core/error.h"

namespace atrous::cuda::emulation {
namespace {

std::mutex mutex;

Order& selected() {
  static Order order = [] {
    const char* text = std::getenv("ATROUS_EMULATION_ORDER");
    return text == nullptr || *text == 0 ? Order{} : parse_order(text);
  }();
  return order;
}

/// SplitMix64: the same permutations with every standard library.
std::uint64_t next_random(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15U);
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

}  // namespace

std::string to_string(Order order) {
  switch (order.kind) {
    case Order::Kind::ascending:
      return "ascending";
    case Order::Kind::descending:
      return "descending";
    default:
      return std::to_string(order.seed);
  }
}

Order parse_order(const std::string& text) {
  if (text == "ascending") return {Order::Kind::ascending, 0};
  if (text == "descending") return {Order::Kind::descending, 0};
  Order order;
  const char* end = text.data() + text.size();
  auto [stop, status] = std::from_chars(text.data(), end, order.seed);
  if (status != std::errc() || stop != end || text.empty())
    fail(ErrorCode::invalid_argument, "ATROUS_EMULATION_ORDER is '{}', not ascending, descending or a seed",
         text);
  return order;
}

Order current_order() {
  std::lock_guard lock(mutex);
  return selected();
}

void set_order(Order order) {
  std::lock_guard lock(mutex);
  selected() = order;
}

std::vector<Order> test_orders() {
  return {{Order::Kind::ascending, 0},
          {Order::Kind::descending, 0},
          {Order::Kind::shuffled, 1},
          {Order::Kind::shuffled, 20220}};
}

Visits::Visits(Order order, unsigned count) : order_(order), state_(order.seed), sequence_(count) {
  std::iota(sequence_.begin(), sequence_.end(), 0U);
  if (order.kind == Order::Kind::descending) std::reverse(sequence_.begin(), sequence_.end());
}

const std::vector<unsigned>& Visits::next() {
  if (order_.kind == Order::Kind::shuffled)
    for (std::size_t i = sequence_.size(); i > 1; --i)
      std::swap(sequence_[i - 1], sequence_[next_random(state_) % i]);
  return sequence_;
}

}  // namespace atrous::cuda::emulation
