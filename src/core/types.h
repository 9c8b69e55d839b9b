// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace atrous {

enum class DType : std::uint8_t { f32, f16, bf16, i32, u8, s8 };

std::size_t size_of(DType dtype);
std::string_view to_string(DType dtype);

enum class DeviceKind : std::uint8_t { cpu, cuda };

struct Device {
  DeviceKind kind = DeviceKind::cpu;
  int index = 0;
  bool operator==(const Device&) const = default;
};

std::string to_string(Device device);  ///< "cpu", "cuda:0"

/// Extent of an activation: batch, height, width, channels (NHWC). A vector is n x 1 x 1 x c.
struct Shape {
  std::int64_t n = 1, h = 1, w = 1, c = 1;

  bool operator==(const Shape&) const = default;
  std::int64_t pixels() const { return n * h * w; }
  /// n*h*w*c; throws Error{invalid_argument} where an extent is < 1 or the product is above 2^60.
  std::int64_t elements() const;
};

std::string to_string(const Shape& shape);  ///< "[1,65,65,256]"

/// How a value is stored that is narrower than the plan's type: on 8 bits, per tensor and symmetric, value =
/// scale * integer; or as bf16.
struct Quantisation {
  DType dtype = DType::u8;  ///< u8 where no value is below 0, else s8; bf16
  float scale = 1;          ///< above 0; 1 for bf16
  bool operator==(const Quantisation&) const = default;
};

/// What the values of an activation span: low <= 0 <= high, one of them not 0.
struct ValueRange {
  float low = 0, high = 0;
};

/// The 8 bits that a range is best stored on: u8 where low is 0, else s8.
Quantisation quantisation_of(const ValueRange& range);

/// How an activation lies in memory: NHWC; `pitch` elements from one pixel to the next (>= c; larger where
/// the tensor is a channel slice of a concatenation). Rows and images follow without gaps.
struct TensorDesc {
  Shape shape;
  std::int64_t pitch = 0;
  DType dtype = DType::f32;
  std::size_t base_alignment = 64;  ///< bytes the address of the first element is a multiple of
  float scale = 1;                  ///< of u8 and s8: what one step stands for

  static TensorDesc dense(const Shape& shape, DType dtype = DType::f32) { return {shape, shape.c, dtype}; }
  bool is_dense() const { return pitch == shape.c; }
  bool is_quantised() const { return dtype == DType::u8 || dtype == DType::s8; }
  /// Bytes from the first to past the last element when the tensor owns its pitch (n*h*w*pitch*size).
  std::size_t bytes() const { return static_cast<std::size_t>(shape.pixels() * pitch) * size_of(dtype); }
  bool operator==(const TensorDesc&) const = default;
};

}  // namespace atrous
