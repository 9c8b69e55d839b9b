// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/device.h"

/// Successive channels between memory and f32 registers, up to 16 bytes at a time.
namespace atrous::cuda {

/// V values from `from`, which is aligned to min(V*sizeof(T), 16) bytes; V is 1 or a whole number of packs.
template <int V, typename T>
ATROUS_DEVICE void load_floats(const T* from, float* to) {
  if constexpr (V == 1) {
    *to = to_float(*from);
  } else {
    constexpr int kPack = V * sizeof(T) > 16 ? static_cast<int>(16 / sizeof(T)) : V;
    for (int first = 0; first < V; first += kPack) {
      const Pack<T, kPack> pack = load_pack<kPack>(from + first);
      for (int i = 0; i < kPack; ++i) to[first + i] = to_float(pack.v[i]);
    }
  }
}

/// V values to `to`, rounded to nearest even; alignment and V as above.
template <int V, typename T>
ATROUS_DEVICE void store_floats(T* to, const float* from) {
  if constexpr (V == 1) {
    *to = from_float<T>(*from);
  } else {
    constexpr int kPack = V * sizeof(T) > 16 ? static_cast<int>(16 / sizeof(T)) : V;
    for (int first = 0; first < V; first += kPack) {
      Pack<T, kPack> pack;
      for (int i = 0; i < kPack; ++i) pack.v[i] = from_float<T>(from[first + i]);
      store_pack(to + first, pack);
    }
  }
}

}  // namespace atrous::cuda
