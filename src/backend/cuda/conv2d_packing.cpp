// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/conv2d_packing.h"

#include <cstdint>
#include <cstring>

#include "core/half.h"
#include "kernels/alignment.h"

namespace atrous {
namespace {

void store(float value, DType dtype, std::byte* to) {
  if (dtype == DType::f32) {
    std::memcpy(to, &value, sizeof value);
    return;
  }
  const std::uint16_t bits = dtype == DType::f16 ? float_to_half(value) : float_to_bfloat16(value);
  std::memcpy(to, &bits, sizeof bits);
}

/// `elements` zeros, then every weight to the element that position(o, i, tap) names.
template <typename Position>
std::vector<std::byte> pack(const ConvWeights& weights, DType dtype, std::size_t elements,
                            const Position& position) {
  const std::size_t size = size_of(dtype), ic = weights.ic();
  std::vector<std::byte> packed(elements * size);
  const float* from = weights.values.data();
  for (std::size_t o = 0; o < weights.oc; ++o)
    for (std::size_t i = 0; i < ic; ++i)
      for (std::size_t tap = 0; tap < weights.taps; ++tap)
        store(*from++, dtype, packed.data() + position(o, i, tap) * size);
  return packed;
}

}  // namespace

std::vector<std::byte> pack_channel_major(const ConvWeights& weights, DType dtype) {
  const auto multiple = static_cast<std::size_t>(cuda::pack_size(dtype));
  const std::size_t ic = weights.ic(), row = (weights.taps * ic + multiple - 1) / multiple * multiple;
  return pack(weights, dtype, weights.oc * row,
              [&](std::size_t o, std::size_t i, std::size_t tap) { return o * row + tap * ic + i; });
}

std::vector<std::byte> pack_dense(const ConvWeights& weights, DType dtype) {
  const std::size_t ic = weights.ic();
  return pack(weights, dtype, weights.values.size(), [&](std::size_t o, std::size_t i, std::size_t tap) {
    return (o * weights.taps + tap) * ic + i;
  });
}

std::vector<std::byte> pack_tap_major(const ConvWeights& weights, DType dtype) {
  const std::size_t ic = weights.ic();
  return pack(weights, dtype, weights.values.size(),
              [&](std::size_t o, std::size_t i, std::size_t tap) { return (tap * ic + i) * weights.oc + o; });
}

}  // namespace atrous
