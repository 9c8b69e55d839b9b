// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backend/cuda/runtime.h"
#include "core/types.h"

namespace atrous::cuda {

/// What one output coordinate of an axis reads: in[low] + (in[high] - in[low]) * weight; nearest: weight 0.
struct AxisTap {
  int low, high;
  float weight;
};

/// The taps of both axes, on the device: out.shape.h and out.shape.w of them.
struct ResizeTaps {
  const AxisTap* rows;
  const AxisTap* columns;
};

/// Blends four pixels into one; takes every shape and layout, and copies the value where both weights are 0.
void resize_bilinear(const TensorDesc& in, const void* input, const TensorDesc& out, void* output,
                     const ResizeTaps& taps, StreamHandle stream);

/// Copies the pixels at `low`; for tensors that take packs (kernels/alignment.h).
void resize_gather(const TensorDesc& in, const void* input, const TensorDesc& out, void* output,
                   const ResizeTaps& taps, StreamHandle stream);

}  // namespace atrous::cuda
