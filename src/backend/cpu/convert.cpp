// SPDX-License-Identifier: Apache-2.0
#include <bit>

#include "backend/cpu/convert_rows.h"
#include "backend/cpu/kernel_of.h"
#include "core/half.h"

namespace atrous {
namespace {

template <typename Integer>
inline void widen(const Integer* in, float scale, float* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(in[i]) * scale;
}

/// Adding 1.5 * 2^23 leaves the integer, rounded to even, in the low bits.
template <typename Integer>
inline void narrow(const float* in, float steps, float low, float high, Integer* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    float x = in[i] * steps;
    x = x > low ? x : low;
    x = x < high ? x : high;
    out[i] = static_cast<Integer>(std::bit_cast<std::int32_t>(x + 12582912.0F));
  }
}

ATROUS_VECTORISE void u8_to_f32(const std::uint8_t* in, float scale, float* out, std::int64_t count) {
  widen(in, scale, out, count);
}
ATROUS_VECTORISE void s8_to_f32(const std::int8_t* in, float scale, float* out, std::int64_t count) {
  widen(in, scale, out, count);
}
ATROUS_VECTORISE void f32_to_u8(const float* in, float steps, std::uint8_t* out, std::int64_t count) {
  narrow(in, steps, 0, 255, out, count);
}
ATROUS_VECTORISE void f32_to_s8(const float* in, float steps, std::int8_t* out, std::int64_t count) {
  narrow(in, steps, -128, 127, out, count);
}

ATROUS_VECTORISE void bf16_to_f32(const std::uint16_t* in, float* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = bfloat16_to_float(in[i]);
}
ATROUS_VECTORISE void f32_to_bf16(const float* in, std::uint16_t* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = float_to_bfloat16(in[i]);
}

std::unique_ptr<Kernel> prepare(const NodeDesc& node, PrepareContext&) {
  return kernel_of([in = node.inputs[0], out = node.output](const KernelArgs& args) {
    const bool dense = in.is_dense() && out.is_dense(), widens = in.dtype != DType::f32;
    const std::int64_t run = dense ? out.shape.w * out.shape.c : out.shape.c, runs = dense ? 1 : out.shape.w,
                       in_row = in.shape.w * in.pitch * static_cast<std::int64_t>(size_of(in.dtype)),
                       out_row = out.shape.w * out.pitch * static_cast<std::int64_t>(size_of(out.dtype));
    parallel_for(out.shape.n * out.shape.h, [&](std::int64_t row) {
      const auto* from = static_cast<const std::byte*>(args.inputs[0]) + row * in_row;
      auto* to = static_cast<std::byte*>(args.output) + row * out_row;
      for (std::int64_t i = 0; i < runs; ++i, from += in_row / in.shape.w, to += out_row / out.shape.w)
        if (widens)
          to_f32_row(from, in, reinterpret_cast<float*>(to), run);
        else
          from_f32_row(reinterpret_cast<const float*>(from), out, to, run);
    });
  });
}

constexpr Implementation kList[] = {{"direct", accept_all, prepare}};

}  // namespace

void to_f32_row(const void* in, const TensorDesc& from, float* out, std::int64_t count) {
  if (from.dtype == DType::u8)
    u8_to_f32(static_cast<const std::uint8_t*>(in), from.scale, out, count);
  else if (from.dtype == DType::s8)
    s8_to_f32(static_cast<const std::int8_t*>(in), from.scale, out, count);
  else if (from.dtype == DType::bf16)
    bf16_to_f32(static_cast<const std::uint16_t*>(in), out, count);
  else
    copy_pixels(in, count, out, count, 1, count);
}

void from_f32_row(const float* in, const TensorDesc& to, void* out, std::int64_t count) {
  if (to.dtype == DType::u8)
    f32_to_u8(in, 1 / to.scale, static_cast<std::uint8_t*>(out), count);
  else if (to.dtype == DType::s8)
    f32_to_s8(in, 1 / to.scale, static_cast<std::int8_t*>(out), count);
  else if (to.dtype == DType::bf16)
    f32_to_bf16(in, static_cast<std::uint16_t*>(out), count);
  else
    copy_pixels(in, count, out, count, 1, count);
}

std::span<const Implementation> cpu_convert() { return kList; }

}  // namespace atrous
