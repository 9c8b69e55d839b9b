// SPDX-License-Identifier: Apache-2.0
#include "cli/digest.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

namespace atrous::cli {
namespace {

constexpr std::size_t kBlock = 64;

/// The first 32 bits of the fractional parts of a root (2: square, 3: cube) of the first primes.
template <std::size_t Count>
std::array<std::uint32_t, Count> prime_roots(int root) {
  std::array<std::uint32_t, Count> result{};
  std::size_t found = 0;
  for (int n = 2; found < Count; ++n) {
    bool prime = true;
    for (int d = 2; d * d <= n; ++d) prime = prime && n % d != 0;
    if (!prime) continue;
    const long double value =
        root == 2 ? std::sqrt(static_cast<long double>(n)) : std::cbrt(static_cast<long double>(n));
    result[found++] = static_cast<std::uint32_t>((value - std::floor(value)) * 4294967296.0L);
  }
  return result;
}

class Sha256 {
 public:
  void block(const std::byte* data) {
    std::array<std::uint32_t, 64> w{};
    for (std::size_t i = 0; i < 16; ++i)
      for (std::size_t b = 0; b < 4; ++b) w[i] = w[i] << 8U | std::to_integer<std::uint32_t>(data[4 * i + b]);
    for (std::size_t i = 16; i < 64; ++i) {
      const std::uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3U),
                          s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10U);
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    auto [a, b, c, d, e, f, g, h] = state_;
    for (std::size_t i = 0; i < 64; ++i) {
      const std::uint32_t s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25),
                          s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22),
                          t1 = h + s1 + ((e & f) ^ (~e & g)) + constants_[i] + w[i],
                          t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
      h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    const std::array<std::uint32_t, 8> change{a, b, c, d, e, f, g, h};
    for (std::size_t i = 0; i < 8; ++i) state_[i] += change[i];
  }

  std::string hex() const {
    std::string text;
    for (std::uint32_t word : state_) text += fmt::format("{:08x}", word);
    return text;
  }

 private:
  std::array<std::uint32_t, 64> constants_ = prime_roots<64>(3);
  std::array<std::uint32_t, 8> state_ = prime_roots<8>(2);
};

}  // namespace

std::string sha256(std::span<const std::byte> data) {
  Sha256 hash;
  std::size_t done = 0;
  for (; data.size() - done >= kBlock; done += kBlock) hash.block(data.data() + done);
  std::vector<std::byte> tail(data.begin() + static_cast<std::ptrdiff_t>(done), data.end());
  tail.push_back(std::byte{0x80});
  while (tail.size() % kBlock != kBlock - 8) tail.push_back(std::byte{0});
  const std::uint64_t bits = std::uint64_t{data.size()} * 8;
  for (int shift = 56; shift >= 0; shift -= 8) tail.push_back(static_cast<std::byte>(bits >> shift));
  for (std::size_t i = 0; i < tail.size(); i += kBlock) hash.block(tail.data() + i);
  return hash.hex();
}

}  // namespace atrous::cli
