// SPDX-License-Identifier: Apache-2.0
#include "core/convert.h"

#include <cstring>

#include "core/error.h"
#include "core/half.h"
#include "core/parallel.h"

namespace atrous {
namespace {

ATROUS_VECTORISE void halves_to_f32(const std::byte* in, std::int64_t count, float* out) {
  for (std::int64_t i = 0; i < count; ++i) {
    std::uint16_t half;
    std::memcpy(&half, in + i * std::int64_t{sizeof half}, sizeof half);
    out[i] = half_to_float(half);
  }
}

/// out[i] = f(in[i]) without assuming that either side is aligned.
template <typename From, typename To, typename F>
void map(const void* in, void* out, std::int64_t count, const F& f) {
  for (std::int64_t i = 0; i < count; ++i) {
    From from;
    std::memcpy(&from, static_cast<const char*>(in) + i * std::int64_t{sizeof from}, sizeof from);
    const To to = f(from);
    std::memcpy(static_cast<char*>(out) + i * std::int64_t{sizeof to}, &to, sizeof to);
  }
}

}  // namespace

void to_f32(const void* in, DType dtype, std::int64_t count, float* out) {
  if (count == 0) return;  // either side may be null
  if (dtype == DType::f32)
    std::memcpy(out, in, static_cast<std::size_t>(count) * sizeof(float));
  else if (dtype == DType::f16)
    halves_to_f32(static_cast<const std::byte*>(in), count, out);
  else if (dtype == DType::bf16)
    map<std::uint16_t, float>(in, out, count, bfloat16_to_float);
  else if (dtype == DType::i32)
    map<std::int32_t, float>(in, out, count, [](std::int32_t v) { return static_cast<float>(v); });
  else if (dtype == DType::s8)
    map<std::int8_t, float>(in, out, count, [](std::int8_t v) { return static_cast<float>(v); });
  else
    fail(ErrorCode::internal, "to_f32: {} is not a type of activations", to_string(dtype));
}

void from_f32(const float* in, std::int64_t count, DType dtype, void* out) {
  if (count == 0) return;
  if (dtype == DType::f32)
    std::memcpy(out, in, static_cast<std::size_t>(count) * sizeof(float));
  else if (dtype == DType::f16)
    map<float, std::uint16_t>(in, out, count, float_to_half);
  else if (dtype == DType::bf16)
    map<float, std::uint16_t>(in, out, count, float_to_bfloat16);
  else
    fail(ErrorCode::internal, "from_f32: {} is not a type of activations", to_string(dtype));
}

}  // namespace atrous
