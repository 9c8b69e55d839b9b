// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace atrous {

/// 64 bits that tell contents apart, the same on every platform of one byte order; not made against people
/// who want two contents to look alike. What is added one by one is not what is added as one.
class Digest {
 public:
  void add(std::span<const std::byte> bytes);
  void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
  void add(const char* text) { add(std::string_view(text)); }
  /// A number, a flag or an enumerator.
  template <typename T>
  requires std::is_arithmetic_v<T> || std::is_enum_v<T>
  void add(T value) { add(std::as_bytes(std::span(&value, 1))); }

  std::string text() const;  ///< 16 hexadecimal digits

 private:
  void mix(std::uint64_t word);
  std::span<const std::byte> add_lanes(std::span<const std::byte> bytes);
  std::uint64_t state_ = 0x9E3779B97F4A7C15ULL;
};

}  // namespace atrous
