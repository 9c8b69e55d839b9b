// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "backend/cuda/runtime.h"
#include "core/types.h"
#include "ops/params.h"

namespace atrous::cuda {

/// Windows or bins, an output pixel a thread; `p` has explicit padding. Takes every shape; f32, f16 or bf16.
void pool_windows(const Pool2dParams& p, const TensorDesc& in, const void* input, const TensorDesc& out,
                  void* output, StreamHandle stream);

/// One level of a spatial pyramid: the map divided into h x w bins, into a tensor [n, h, w, c].
struct BinLevel {
  int h = 1, w = 1;
  std::int64_t pitch = 0;  ///< of the output
  void* output = nullptr;
};
constexpr std::size_t kMaxBinLevels = 4;

/// Bytes that pool_bins() needs besides.
std::size_t pool_bins_workspace(const TensorDesc& in, std::span<const BinLevel> levels);

/// Why pool_bins() does not take it, or "".
std::string refuse_pool_bins(const TensorDesc& in, std::span<const BinLevel> levels);

/// Up to kMaxBinLevels levels of a pyramid in one launch, each bin [floor(i*ih/h), ceil((i+1)*ih/h)) by a
/// block; a 1x1 level is the global pooling. The same bits for any batch size. A second launch adds up the
/// slices of bins above 2048 pixels.
void pool_bins(PoolKind kind, const TensorDesc& in, const void* input, std::span<const BinLevel> levels,
               void* workspace, StreamHandle stream);

}  // namespace atrous::cuda
