// SPDX-License-Identifier: Apache-2.0
#include "core/types.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/checked.h"
#include "core/error.h"

namespace atrous {

std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::f16:
    case DType::bf16:
      return 2;
    case DType::u8:
    case DType::s8:
      return 1;
  }
  return 0;
}

std::string_view to_string(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "f32";
    case DType::f16:
      return "f16";
    case DType::bf16:
      return "bf16";
    case DType::i32:
      return "i32";
    case DType::u8:
      return "u8";
    case DType::s8:
      return "s8";
  }
  return "?";
}

std::string to_string(Device device) {
  return device.kind == DeviceKind::cpu ? "cpu" : fmt::format("cuda:{}", device.index);
}

Quantisation quantisation_of(const ValueRange& range) {
  if (range.low == 0) return {DType::u8, range.high / 255.0F};
  return {DType::s8, std::max(-range.low, range.high) / 127.0F};
}

std::int64_t Shape::elements() const {
  constexpr std::int64_t kLimit = std::int64_t{1} << 60;  // so that bytes, also a few tensors', fit 64 bits
  std::int64_t product = 1;
  for (std::int64_t extent : {n, h, w, c}) {
    auto next = extent < 1 ? std::nullopt : checked_mul(product, extent);
    if (!next || *next > kLimit)
      fail(ErrorCode::invalid_argument, "shape {} is empty or too large", to_string(*this));
    product = *next;
  }
  return product;
}

std::string to_string(const Shape& shape) {
  return fmt::format("[{},{},{},{}]", shape.n, shape.h, shape.w, shape.c);
}

}  // namespace atrous
