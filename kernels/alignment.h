// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <string>

#include "core/types.h"

/// Which tensors kernels may move in packs of 16 bytes; plain C++, for hosts and launchers.
namespace atrous::cuda {

/// Channels in a pack.
inline int pack_size(DType dtype) { return static_cast<int>(16 / size_of(dtype)); }

/// Whether every pixel is a whole number of packs, each at a multiple of 16 bytes.
inline bool takes_packs(const TensorDesc& d) {
  const int pack = pack_size(d.dtype);
  return d.base_alignment % 16 == 0 && d.pitch % pack == 0 && d.shape.c % pack == 0;
}

/// Why a kernel of packs does not take these tensors, or "".
inline std::string refuse_packs(std::initializer_list<TensorDesc> tensors) {
  for (const TensorDesc& d : tensors)
    if (!takes_packs(d)) return "for channels in packs of 16 bytes only";
  return "";
}

}  // namespace atrous::cuda
