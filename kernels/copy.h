// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backend/cuda/runtime.h"
#include "core/types.h"

namespace atrous::cuda {

/// out(n, y, x, c) = in(n, y - top, x - left, c), or `fill` where that lies outside `in`: what concat, slice,
/// pad and identity are. The same images and channels in both; a channel slice is a tensor with the pitch of
/// the wider one. f32, f16 or bf16 on the device, each below 2^31 elements, gaps included.
void copy_shifted(const TensorDesc& in, const void* from, const TensorDesc& out, void* to, int top, int left,
                  float fill, StreamHandle stream);

}  // namespace atrous::cuda
