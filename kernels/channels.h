// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backend/cuda/runtime.h"
#include "core/types.h"
#include "ops/params.h"

/// Operators over the channels of one pixel; f32, f16 or bf16 on the device, computed in f32, each tensor
/// below 2^31 elements, gaps included. Pixels of `out` are those of `in`.
namespace atrous::cuda {

void softmax(const TensorDesc& in, const void* from, const TensorDesc& out, void* to, StreamHandle stream);

/// i32 out, one channel: the channel of the largest value, the lowest of equal ones.
void argmax(const TensorDesc& in, const void* from, const TensorDesc& out, void* to, StreamHandle stream);

/// One channel out.
void channel_mean(const TensorDesc& in, const void* from, const TensorDesc& out, void* to,
                  StreamHandle stream);

/// Local response normalisation across channels (Krizhevsky, Sutskever and Hinton 2012, section 3.3).
void lrn(const LrnParams& p, const TensorDesc& in, const void* from, const TensorDesc& out, void* to,
         StreamHandle stream);

}  // namespace atrous::cuda
