// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/types.h"

/// Weights of convolutions as the kernels want them, in the activations' type, rounded to nearest even.
namespace atrous {

/// A convolution's weight [oc, ic, taps] as it comes from the model; ic is that of one group.
struct ConvWeights {
  std::span<const float> values;
  std::size_t oc = 1, taps = 1;
  std::size_t ic() const { return values.size() / oc / taps; }
};

/// [oc][taps*ic rounded up to a multiple of 16 bytes], zero where rounded up.
std::vector<std::byte> pack_channel_major(const ConvWeights& weights, DType dtype);
/// [oc][taps][ic].
std::vector<std::byte> pack_dense(const ConvWeights& weights, DType dtype);
/// [taps][ic][oc].
std::vector<std::byte> pack_tap_major(const ConvWeights& weights, DType dtype);

}  // namespace atrous
