// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/half.h"
#include "core/types.h"

namespace atrous::test {

/// Stores `value` as one element at `to`, rounded to nearest even.
inline void write_element(DType dtype, double value, std::byte* to) {
  const auto as_float = static_cast<float>(value);
  const auto as_id = static_cast<std::int32_t>(value);
  const std::uint16_t bits = dtype == DType::f16 ? float_to_half(as_float) : float_to_bfloat16(as_float);
  switch (dtype) {
    case DType::f32:
      std::memcpy(to, &as_float, sizeof as_float);
      break;
    case DType::i32:
      std::memcpy(to, &as_id, sizeof as_id);
      break;
    case DType::f16:
    case DType::bf16:
      std::memcpy(to, &bits, sizeof bits);
      break;
    case DType::u8:
    case DType::s8:
      *to = static_cast<std::byte>(as_id);
      break;
  }
}

inline double read_element(DType dtype, const std::byte* from) {
  float as_float = 0;
  std::int32_t as_id = 0;
  std::uint16_t bits = 0;
  switch (dtype) {
    case DType::f32:
      std::memcpy(&as_float, from, sizeof as_float);
      return static_cast<double>(as_float);
    case DType::i32:
      std::memcpy(&as_id, from, sizeof as_id);
      return as_id;
    case DType::f16:
      std::memcpy(&bits, from, sizeof bits);
      return static_cast<double>(half_to_float(bits));
    case DType::bf16:
      std::memcpy(&bits, from, sizeof bits);
      return static_cast<double>(bfloat16_to_float(bits));
    case DType::u8:
      return static_cast<double>(*from);
    case DType::s8:
      return static_cast<double>(static_cast<std::int8_t>(*from));
  }
  return 0;
}

/// `value` as an element of that type holds it.
inline double rounded(DType dtype, double value) {
  std::byte element[4];
  write_element(dtype, value, element);
  return read_element(dtype, element);
}

/// `value` with the 10 bits of mantissa that tensor cores take of an f32.
inline double rounded_to_tf32(double value) {
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
  return static_cast<double>(std::bit_cast<float>((bits + 0x1000U) & 0xffffe000U));
}

}  // namespace atrous::test
