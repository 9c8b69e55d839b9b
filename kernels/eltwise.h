// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backend/cuda/runtime.h"
#include "core/types.h"
#include "ops/params.h"

/// Operators whose output element depends on one element of each input; f32, f16 or bf16, computed in f32.
/// Tensors are on the device and smaller than 2^31 elements, gaps included.
namespace atrous::cuda {

void activation(const ActivationParams& p, const TensorDesc& in, const void* from, const TensorDesc& out,
                void* to, StreamHandle stream);

/// out = in * scale + shift; scale and shift are [c], on the device.
void scale_shift(const TensorDesc& in, const void* from, const float* scale, const float* shift,
                 const TensorDesc& out, void* to, StreamHandle stream);

/// a op b; each extent of a and b is that of `out` or 1. With p.has_scalar `b` is unused.
void binary(const BinaryParams& p, const TensorDesc& a, const void* from_a, const TensorDesc& b,
            const void* from_b, const TensorDesc& out, void* to, StreamHandle stream);

}  // namespace atrous::cuda
